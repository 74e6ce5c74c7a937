import type { Argument, Command, Reply } from "../connection/client.ts";
import { bytesOf, empty, fieldOf, listOf, numberOf } from "../connection/replies.ts";
import type { NamespaceRedisKeys } from "../namespaces/keys.ts";
import { type MemoryQuery, paramArguments } from "./query.ts";

/** What was asked for of a memory, by name. */
export type Fields = Pick<ReadonlyMap<string, Reply>, "get">;

/** Redis Stack gives out no more in one answer, and refuses to be asked for more. */
export const MAX_RESULTS = 10_000;

/** Partial answers would be taken for whole ones: a question is answered, or the command runs into its timeout. */
const COMMON: readonly Argument[] = ["DIALECT", 2, "TIMEOUT", 0];

/** How many match. */
export function countCommand(index: string, query: MemoryQuery): Command {
  return ["FT.SEARCH", index, query.text, "LIMIT", 0, 0, ...paramArguments(query.params), ...COMMON];
}

/** What matches, with these fields; without options for the order, in one of the engine's own. */
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

/** How many match, whatever the limit, by the answer to either; of the nearest, how many were asked for at most. */
export function readTotal(reply: Reply | undefined): number {
  const [total] = listOf(reply);
  if (total === undefined) throw new TypeError("an answer of the index is read once");
  return numberOf(total);
}

/** Visits each memory of an answer, which is empty afterwards, and answers with what readTotal does. */
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
    // Null: the memory went while the index was read.
    if (fields !== null) visit(key.toString("utf8", prefix.length), new Row(listOf(fields)));
  }
  const total = readTotal(reply);
  empty(list);
  return total;
}

/** Without a view of its beginning, which would be made for each of hundreds of keys. */
function beginsWith(key: Buffer, prefix: Buffer): boolean {
  if (key.length < prefix.length) return false;
  // The id of the namespace stands last, and tells most of the wrong ones apart at once.
  for (let at = prefix.length - 1; at >= 0; at -= 1) if (key[at] !== prefix[at]) return false;
  return true;
}

/** Names and values in turn, as the index answers with them: there are two or three. */
class Row implements Fields {
  readonly #list: readonly Reply[];

  constructor(list: readonly Reply[]) {
    this.#list = list;
  }

  get(name: string): Reply | undefined {
    return fieldOf(this.#list, name);
  }
}
