import type { Argument, Command, Reply } from "./client.ts";
import type { NamespaceKeys } from "./keys.ts";
import { type MemoryQuery, paramArguments } from "./memory-query.ts";
import { bytesOf, isText, listOf, numberOf } from "./replies.ts";

/** What was asked for of a memory, by name. */
export type Fields = Pick<ReadonlyMap<string, Reply>, "get" | "has">;

/** What an index answers about one memory. */
export interface IndexedMemory {
  readonly id: string;
  readonly fields: Fields;
}

export interface IndexReply {
  /** How many match, whatever the limit; of the nearest, how many were asked for at most. */
  readonly total: number;
  readonly found: readonly IndexedMemory[];
}

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

/** The answer to either. */
export function readIndexReply(reply: Reply | undefined, namespace: NamespaceKeys): IndexReply {
  const list = listOf(reply);
  const prefix = Buffer.from(namespace.memory(""));
  const found: IndexedMemory[] = [];
  for (let at = 1; at < list.length; at += 2) {
    const key = bytesOf(list[at]);
    if (key === undefined || !beginsWith(key, prefix))
      throw new TypeError("the index answered with a memory of another namespace");
    const fields = list[at + 1] ?? null;
    // Null: the memory went while the index was read.
    if (fields !== null) found.push(new IndexRow(key.toString("utf8", prefix.length), listOf(fields)));
  }
  return { total: numberOf(list[0]), found };
}

/** Without a view of its beginning, which would be made for each of hundreds of keys. */
function beginsWith(key: Buffer, prefix: Buffer): boolean {
  if (key.length < prefix.length) return false;
  // The number of the namespace stands last, and tells most of the wrong ones apart at once.
  for (let at = prefix.length - 1; at >= 0; at -= 1) if (key[at] !== prefix[at]) return false;
  return true;
}

/**
 * A memory with names and values in turn, as the index answers with them: there are two or three. One object for both,
 * because a search reads some hundred.
 */
class IndexRow implements IndexedMemory, Fields {
  readonly id: string;
  readonly #list: readonly Reply[];

  constructor(id: string, list: readonly Reply[]) {
    this.id = id;
    this.#list = list;
  }

  get fields(): Fields {
    return this;
  }

  get(name: string): Reply | undefined {
    for (let at = 0; at + 1 < this.#list.length; at += 2) {
      if (isText(this.#list[at], name)) return this.#list[at + 1];
    }
    return undefined;
  }

  has(name: string): boolean {
    return this.get(name) !== undefined;
  }
}
