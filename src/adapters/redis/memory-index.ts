import type { Argument, Command, Reply } from "./client.ts";
import type { NamespaceKeys } from "./keys.ts";
import { type MemoryQuery, paramArguments } from "./memory-query.ts";
import { listOf, numberOf } from "./replies.ts";

/** What an index answers about one memory. */
export interface IndexedMemory {
  readonly id: string;
  readonly fields: ReadonlyMap<string, Reply>;
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
    if (fields !== null) found.push({ id: key.slice(prefix.length), fields: pairsOf(fields) });
  }
  return { total: numberOf(total), found };
}

function pairsOf(reply: Reply | undefined): Map<string, Reply> {
  const list = listOf(reply);
  const pairs = new Map<string, Reply>();
  for (let at = 0; at + 1 < list.length; at += 2) pairs.set(String(list[at]), list[at + 1] ?? null);
  return pairs;
}
