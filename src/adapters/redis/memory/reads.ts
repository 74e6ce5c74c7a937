import type { NamespaceKey } from "../../../domain/access/tenancy.ts";
import { type MemoryFilter, matchesFilter } from "../../../domain/memory/filter.ts";
import { isExpired, type Memory, type StoredMemory } from "../../../domain/memory/memory.ts";
import { withinBytes } from "../../../domain/page-token.ts";
import type { ListPosition, MemoryReader, NeighborOptions } from "../../../ports/memory/reader.ts";
import type { MemoryExport } from "../../../ports/memory/transfer.ts";
import { listOf, numberOf } from "../connection/replies.ts";
import { list } from "../connection/script.ts";
import type { Namespaces } from "../namespaces/namespace-ids.ts";
import { defineNamespaceScript } from "../namespaces/namespace-script.ts";
import { MAX_STEP, type MemoryPages, type ReadMemory } from "./pages.ts";
import { MEMORY, memoryKeys } from "./rows.ts";
import { tokenOf } from "./tokens.ts";

const FIND_IDS = defineNamespaceScript({
  file: new URL("./find-memory-ids.lua", import.meta.url),
  libraries: [MEMORY],
  effect: "reads",
  arguments: ["now", list("ids")],
  reply: (reply) => listOf(listOf(reply)[1]).map((found) => numberOf(found) === 1),
});

/** A scan for a filter. */
export interface SourceQuery {
  readonly filter: MemoryFilter;
  readonly oldestFirst: boolean;
  readonly after?: ListPosition | undefined;
  /** The number of wanted memories, a hint for the size of pages. */
  readonly limit: number;
  readonly now: number;
}

/**
 * Pages with every memory that passes a filter, in order of (createTime, id), and possibly others: the caller applies the
 * filter again.
 */
export type MemorySource = (scope: NamespaceKey, query: SourceQuery) => AsyncIterable<readonly ReadMemory[]>;

/** Counts the memories that pass a filter with an index; undefined when no index can. */
export type FilterCount = (
  scope: NamespaceKey,
  filter: MemoryFilter,
  now: number,
) => Promise<number | undefined>;

/** Scans the whole namespace. */
export function walkingSource(pages: MemoryPages): MemorySource {
  return (scope, { filter, oldestFirst, after, limit }) =>
    pages.walk(scope, {
      oldestFirst,
      after: oldestFirst ? after : laterOf(filter, after),
      // Where nearly all pass, one page of the wanted size is enough.
      step: passesMost(filter) ? limit : MAX_STEP,
    });
}

/** Where a scan from the newest on begins: none of the later memories passes the filter. */
function laterOf({ asOf }: MemoryFilter, after: ListPosition | undefined): ListPosition | undefined {
  if (asOf === undefined || (after !== undefined && after.createTime <= asOf)) return after;
  // Before every id.
  return { createTime: asOf + 1, id: "" };
}

/** Reads of memories by id and by filter. */
export class MemoryReads implements MemoryReader, MemoryExport {
  readonly #namespaces: Namespaces;
  readonly #pages: MemoryPages;
  readonly #source: MemorySource;
  readonly #countByIndex: FilterCount | undefined;

  constructor(
    namespaces: Namespaces,
    pages: MemoryPages,
    {
      source = walkingSource(pages),
      count,
    }: { readonly source?: MemorySource; readonly count?: FilterCount } = {},
  ) {
    this.#namespaces = namespaces;
    this.#pages = pages;
    this.#source = source;
    this.#countByIndex = count;
  }

  async exist(scope: NamespaceKey, ids: readonly string[], now: number): Promise<boolean[]> {
    const found = await this.#namespaces.run(scope, {
      script: FIND_IDS,
      input: (namespace) => ({ ...memoryKeys(namespace), now, ids }),
    });
    return found ?? ids.map(() => false);
  }

  async get(scope: NamespaceKey, ids: readonly string[], now: number): Promise<(StoredMemory | undefined)[]> {
    const found = await this.#pages.read(scope, ids);
    return found.map((one) => (one === undefined || isExpired(one.memory, now) ? undefined : one.memory));
  }

  neighbors(
    scope: NamespaceKey,
    ids: readonly string[],
    options: NeighborOptions,
  ): Promise<StoredMemory[][]> {
    return this.#pages.neighbors(scope, ids, options);
  }

  async list(
    scope: NamespaceKey,
    query: {
      readonly filter: MemoryFilter;
      readonly after?: ListPosition;
      readonly limit: number;
      readonly now: number;
    },
  ): Promise<StoredMemory[]> {
    const found: StoredMemory[] = [];
    for await (const page of this.passing(scope, { ...query, oldestFirst: false })) {
      found.push(...page.map(({ memory }) => memory));
      if (found.length >= query.limit) break;
    }
    return found.slice(0, query.limit);
  }

  async listOldest(
    scope: NamespaceKey,
    query: {
      readonly filter: MemoryFilter;
      readonly after?: ListPosition;
      readonly limit: number;
      readonly maxBytes: number;
      readonly now: number;
    },
  ): Promise<Memory[]> {
    const found: ReadMemory[] = [];
    let bytes = 0;
    for await (const page of this.passing(scope, { ...query, oldestFirst: true })) {
      found.push(...page);
      bytes += page.reduce((sum, one) => sum + one.bytes, 0);
      if (found.length >= query.limit || bytes > query.maxBytes) break;
    }
    return withinBytes(found.slice(0, query.limit), (one) => one.bytes, query.maxBytes).map(
      ({ memory: { access: _counted, ...memory } }) => memory,
    );
  }

  async count(scope: NamespaceKey, filter: MemoryFilter, now: number): Promise<number> {
    const known =
      (await this.#countByState(scope, filter, now)) ?? (await this.#countByIndex?.(scope, filter, now));
    if (known !== undefined) return known;
    let count = 0;
    const query = { filter, now, oldestFirst: false, limit: MAX_STEP };
    for await (const page of this.passing(scope, query)) count += page.length;
    return count;
  }

  /** The pages of the source, filtered. */
  async *passing(scope: NamespaceKey, query: SourceQuery): AsyncGenerator<readonly ReadMemory[]> {
    for await (const page of this.#source(scope, query)) {
      yield page.filter(({ memory }) => matchesFilter(memory, query.filter, query.now));
    }
  }

  /** Counts by the `sizes` counters, when they include no expired memories. */
  async #countByState(scope: NamespaceKey, filter: MemoryFilter, now: number): Promise<number | undefined> {
    if (!isOfStatesOnly(filter)) return undefined;
    const replies = await this.#namespaces.pipeline(scope, ({ namespaceId, partition, sizes }) => [
      ["ZCOUNT", partition.memoryExpiry, "-inf", now],
      ["HMGET", sizes, ...new Set(filter.states.map((state) => tokenOf(namespaceId, "state", state)))],
    ]);
    if (replies === undefined) return 0;
    const [expired, sizes] = replies;
    if (numberOf(expired) > 0) return undefined;
    return listOf(sizes).reduce((sum: number, size) => sum + numberOf(size), 0);
  }
}

/** Whether nearly all memories pass from the newest possible on: the filter has only conditions on state and time. */
export function passesMost({ asOf, ...filter }: MemoryFilter): boolean {
  return isOfStatesOnly(filter) && (asOf === undefined || filter.states.includes("ACTIVE"));
}

/** Whether the filter only has a condition on states, as default reads do. */
export function isOfStatesOnly({ states, ...others }: MemoryFilter): boolean {
  return states.length > 0 && Object.values(others).every((one) => one === undefined);
}
