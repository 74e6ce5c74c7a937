import type { Argument, Command, Reply } from "../connection/client.ts";
import { bytesOf, empty, fieldOf, listOf, numberOf } from "../connection/replies.ts";
import type { NamespaceRedisKeys } from "../namespaces/keys.ts";
import { type MemoryQuery, paramArguments } from "./query.ts";

/** The requested fields of a memory, by name. */
export type Fields = Pick<ReadonlyMap<string, Reply>, "get">;

/** The maximum of Redis Stack, which refuses a larger limit. */
export const MAX_RESULTS = 10_000;

/** No partial results on a timeout of the engine, which would look complete: the command times out instead. */
const COMMON: readonly Argument[] = ["DIALECT", 2, "TIMEOUT", 0];

/** A command that counts the matches. */
export function countCommand(index: string, query: MemoryQuery): Command {
  return ["FT.SEARCH", index, query.text, "LIMIT", 0, 0, ...paramArguments(query.params), ...COMMON];
}

/** A command that returns matches with these fields; without options, in the order of the engine. */
export function searchCommand(
  index: string,
  { text, params }: Pick<MemoryQuery, "text" | "params">,
  {
    fields,
    limit,
    options = [],
  }: {
    readonly fields: readonly string[];
    readonly limit: number;
    readonly options?: readonly Argument[];
  },
): Command {
  return [
    ...(["FT.SEARCH", index, text] as const),
    ...["RETURN", fields.length, ...fields],
    ...options,
    ...["LIMIT", 0, limit],
    ...paramArguments(params),
    ...COMMON,
  ];
}

/** The total number of matches, from the reply to either command; for KNN at most the requested number. */
export function readTotal(reply: Reply | undefined): number {
  const [total] = listOf(reply);
  if (total === undefined) throw new TypeError("a reply of the index can be read only once");
  return numberOf(total);
}

/** Visits each memory of a reply, empties it, and returns the total as readTotal does. */
export function readIndexReply(
  reply: Reply | undefined,
  namespace: NamespaceRedisKeys,
  visit: (id: string, fields: Fields) => void,
): number {
  const list = listOf(reply);
  const prefix = Buffer.from(namespace.memory(""));
  for (let at = 1; at < list.length; at += 2) {
    const key = bytesOf(list[at]);
    if (key === undefined || !beginsWith(key, prefix))
      throw new TypeError("the index answered with a memory of another namespace");
    const fields = list[at + 1] ?? null;
    // Null: the memory was deleted during the search.
    if (fields !== null) visit(key.toString("utf8", prefix.length), new Row(listOf(fields)));
  }
  const total = readTotal(reply);
  empty(list);
  return total;
}

/** Compares without a subarray, which would be allocated for each of hundreds of keys. */
function beginsWith(key: Buffer, prefix: Buffer): boolean {
  if (key.length < prefix.length) return false;
  // From the end: the namespaceId is last, so wrong keys differ early.
  for (let at = prefix.length - 1; at >= 0; at -= 1) if (key[at] !== prefix[at]) return false;
  return true;
}

/** The fields of a reply: two or three alternating names and values. */
class Row implements Fields {
  readonly #list: readonly Reply[];

  constructor(list: readonly Reply[]) {
    this.#list = list;
  }

  get(name: string): Reply | undefined {
    return fieldOf(this.#list, name);
  }
}
