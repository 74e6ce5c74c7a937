import type { NamespaceKey } from "../../domain/access/tenancy.ts";
import type { StoredMemory } from "../../domain/memory/memory.ts";
import type { MemoryReader, NeighborOptions } from "../../ports/memory/reader.ts";

type Reader = Pick<MemoryReader, "neighbors">;

/** The neighbours of memories, by their ids. */
export type NeighborsById = ReadonlyMap<string, readonly StoredMemory[]>;

/** A result, as far as this reads it. */
interface Result {
  readonly memory: StoredMemory;
  readonly neighbors?: readonly StoredMemory[];
}

/** The results of an answer, and whether it lacks something that does not fit. */
interface Fitted<One> {
  readonly returned: readonly One[];
  readonly truncated: boolean;
}

/** The neighbours of the first of these memories; see MemoryReader. */
export async function readNeighbors(
  reader: Reader,
  namespaceKey: NamespaceKey,
  ids: readonly string[],
  options: NeighborOptions,
): Promise<NeighborsById> {
  if (ids.length === 0) return new Map();
  const lists = await reader.neighbors(namespaceKey, ids, options);
  return new Map(lists.map((list, at) => [ids[at] ?? "", list]));
}

/**
 * The first results with their neighbours, as many as fit. `first`: the neighbours that were read already. The rest is read
 * as long as there is room, so that the neighbours of what is left out need not fit into memory.
 */
export async function withNeighbors<One extends Result>(
  reader: Reader,
  namespaceKey: NamespaceKey,
  found: readonly One[],
  {
    first,
    fitting,
    options,
  }: {
    readonly first: NeighborsById;
    readonly fitting: (results: readonly One[]) => number;
    readonly options: NeighborOptions;
  },
): Promise<Fitted<One>> {
  const known = new Map(first);
  let complete = withKnown(found, known);
  while (complete.length < found.length && fitting(complete) === complete.length) {
    const ids = found.slice(complete.length).map(({ memory }) => memory.id);
    for (const [id, list] of await readNeighbors(reader, namespaceKey, ids, options)) known.set(id, list);
    complete = withKnown(found, known);
  }
  const { returned, truncated } = firstFitting(complete, fitting);
  return { returned, truncated: truncated || returned.length < found.length };
}

/** The first results whose neighbours are known, with them. */
function withKnown<One extends Result>(found: readonly One[], known: NeighborsById): One[] {
  const missing = found.findIndex(({ memory }) => !known.has(memory.id));
  return found
    .slice(0, missing === -1 ? found.length : missing)
    .map((one) => ({ ...one, neighbors: known.get(one.memory.id) ?? [] }));
}

/** The first results that fit; the very first also when it fits only without its neighbours, or alone takes more. */
export function firstFitting<One extends Result>(
  found: readonly One[],
  fitting: (results: readonly One[]) => number,
): Fitted<One> {
  const count = fitting(found);
  const [first] = found;
  if (count === 0 && first !== undefined) return { returned: [{ ...first, neighbors: [] }], truncated: true };
  return { returned: found.slice(0, count), truncated: count < found.length };
}
