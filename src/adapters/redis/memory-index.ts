import type { Argument, Command, Reply } from "./client.ts";
import type { NamespaceKeys } from "./keys.ts";
import { type MemoryQuery, paramArguments } from "./memory-query.ts";
import { isText, listOf, numberOf } from "./replies.ts";

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
  const [total, ...rest] = listOf(reply);
  const prefix = namespace.memory("");
  const found: IndexedMemory[] = [];
  for (let at = 0; at < rest.length; at += 2) {
    const key = String(rest[at]);
    if (!key.startsWith(prefix)) throw new TypeError("the index answered with a memory of another namespace");
    const fields = rest[at + 1] ?? null;
    // Null: the memory went while the index was read.
    if (fields !== null) found.push({ id: key.slice(prefix.length), fields: new FieldList(listOf(fields)) });
  }
  return { total: numberOf(total), found };
}

/** Names and values in turn, as the index answers with them. There are two or three, and some hundred memories. */
class FieldList implements Fields {
  readonly #list: readonly Reply[];

  constructor(list: readonly Reply[]) {
    this.#list = list;
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
