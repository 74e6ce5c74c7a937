import type { NamespaceKey } from "../../../domain/access/tenancy.ts";
import type { MemoryFilter } from "../../../domain/memory/filter.ts";
import type { ListPosition } from "../../../ports/memory/reader.ts";
import type { Command, Reply } from "../connection/client.ts";
import { listOf, numberOf } from "../connection/replies.ts";
import { type IndexNames, indexNames, isMissingIndex } from "../indexes/schema.ts";
import type { NamespaceRedisKeys } from "../namespaces/keys.ts";
import type { Namespaces } from "../namespaces/namespace-ids.ts";
import { countCommand, MAX_RESULTS, readIndexReply, readTotal, searchCommand } from "./commands.ts";
import type { CounterCache } from "./counter-cache.ts";
import { estimateSize, filterCounters, shareCounter, sizeCounters } from "./filter-size.ts";
import { isIndexSooner } from "./page-plan.ts";
import { MAX_STEP, type MemoryPages, type ReadMemory } from "./pages.ts";
import { asksForAccess, type MemoryQuery, memoryQuery } from "./query.ts";
import { type FilterCount, type MemorySource, passesMost, type SourceQuery } from "./reads.ts";

/** Sweeps before a count falls back to a scan. */
const MAX_SWEEPS = 3;

export interface FilteredMemoriesOptions {
  readonly indexes: IndexNames;
  readonly counters: CounterCache;
  /** For filters that the index does not support, or when it is not faster. */
  readonly otherwise: MemorySource;
  /** Removes the expired memories of the partition of the namespace. */
  readonly sweep: (scope: NamespaceKey, now: number) => Promise<void>;
  /** Called when there is no index. */
  readonly missing: (scope: NamespaceKey) => void;
  /** Whether the index can answer `as_of`. */
  readonly hasHistory: (scope: NamespaceKey) => boolean;
}

interface Page {
  readonly oldestFirst: boolean;
  readonly after: ListPosition | undefined;
  readonly limit: number;
}

/** Finds and counts memories that pass a filter with the index. */
export class FilteredMemories {
  readonly #namespaces: Namespaces;
  readonly #pages: MemoryPages;
  readonly #options: FilteredMemoriesOptions;

  constructor(namespaces: Namespaces, pages: MemoryPages, options: FilteredMemoriesOptions) {
    this.#namespaces = namespaces;
    this.#pages = pages;
    this.#options = options;
  }

  readonly source: MemorySource = (scope, query) => this.#source(scope, query);

  /** Undefined when the index cannot count. */
  readonly count: FilterCount = (scope, filter, now) =>
    this.#unlessMissing(scope, () => this.#count(scope, filter, now));

  async #count(scope: NamespaceKey, filter: MemoryFilter, now: number): Promise<number | undefined> {
    if (!this.#isIndexed(scope, filter)) return undefined;
    for (let sweeps = 0; sweeps <= MAX_SWEEPS; sweeps += 1) {
      const replies = await this.#ask(scope, filter, (query, { partition }) => [
        ["ZCOUNT", partition.memoryExpiry, "-inf", now],
        countCommand(this.#index(scope), query),
      ]);
      if (replies === undefined) return 0;
      const [expired, counted] = replies.replies;
      if (numberOf(expired) === 0) return readTotal(counted);
      await this.#options.sweep(scope, now);
    }
    return undefined;
  }

  async *#source(scope: NamespaceKey, query: SourceQuery): AsyncGenerator<readonly ReadMemory[]> {
    let { after } = query;
    if (await this.#unlessMissing(scope, () => this.#isSooner(scope, query))) {
      const limit = Math.max(1, Math.min(query.limit, MAX_STEP));
      let isLast = false;
      while (!isLast) {
        const page = { ...query, after, limit };
        const positions = await this.#unlessMissing(scope, () => this.#positions(scope, query.filter, page));
        if (positions === undefined) break;
        const ids = positions.map(({ id }) => id);
        const read = await this.#pages.read(scope, ids);
        yield read.filter((one) => one !== undefined);
        after = positions.at(-1);
        isLast = positions.length < limit;
      }
      if (isLast) return;
    }
    yield* this.#options.otherwise(scope, { ...query, after });
  }

  async #isSooner(scope: NamespaceKey, { filter, limit }: SourceQuery): Promise<boolean> {
    if (!this.#isIndexed(scope, filter) || passesMost(filter)) return false;
    const { counters } = this.#options;
    const answer = await this.#ask(scope, filter, (query, { namespaceId, sizes }) => {
      const wanted = filterCounters(namespaceId, query);
      const { needsCount } = estimateSize(wanted, counters.of(namespaceId));
      return [
        ["HMGET", sizes, ...wanted.tokens],
        ...(needsCount ? [countCommand(this.#index(scope), query)] : []),
      ];
    });
    // The namespace does not exist.
    if (answer === undefined) return true;
    const { namespaceId } = answer.namespace;
    const wanted = filterCounters(namespaceId, answer.query);
    const [sizes, count] = answer.replies;
    counters.update(namespaceId, sizeCounters(wanted, listOf(sizes).map(numberOf)));
    if (count !== undefined) {
      const bounded = estimateSize(wanted, counters.of(namespaceId));
      counters.update(namespaceId, shareCounter(wanted, bounded, readTotal(count)));
    }
    const { stored, eligible } = estimateSize(wanted, counters.of(namespaceId));
    return stored !== undefined && eligible !== undefined && isIndexSooner({ stored, eligible, limit });
  }

  /** The positions of the next memories that pass, expired or not, in order. Undefined: the index cannot find them. */
  async #positions(
    scope: NamespaceKey,
    filter: MemoryFilter,
    page: Page,
  ): Promise<ListPosition[] | undefined> {
    const { oldestFirst, after, limit } = page;
    const behind = oldestFirst ? "after" : "before";
    const sort = ["SORTBY", "created", oldestFirst ? "ASC" : "DESC"];
    const index = this.#index(scope);
    // One more than needed, to detect others with the create time of the last.
    const options = { fields: ["created"], limit: limit + 1, options: sort };
    const answer = await this.#ask(scope, filter, (query) =>
      after === undefined
        ? [searchCommand(index, query, options)]
        : [
            searchCommand(index, created(query, behind, after.createTime), options),
            searchCommand(index, created(query, "at", after.createTime), TIES),
          ],
    );
    if (answer === undefined) return [];
    const [later, level] = answer.replies.map((reply) => readPositions(reply, answer.namespace));
    if (later === undefined || isUnread(later) || isCut(level)) return undefined;
    this.#update(answer, later.total, after === undefined);

    const order = oldestFirst ? 1 : -1;
    const isBehind = (one: ListPosition): boolean => after === undefined || order * compare(one, after) > 0;
    const next = positionsOf(later);
    const last = next[limit]?.createTime;
    if (last !== undefined && next[limit - 1]?.createTime === last) {
      // Among memories of the last create time, the engine chose any: all of them are read and sorted.
      const ties = await this.#ask(scope, filter, (query) => [
        searchCommand(index, created(query, "at", last), TIES),
      ]);
      const tied = ties?.replies.map((reply) => readPositions(reply, ties.namespace))[0];
      if (isCut(tied)) return undefined;
      const before = next.filter(({ createTime }) => createTime !== last);
      next.splice(0, next.length, ...before, ...positionsOf(tied));
    }
    return [...positionsOf(level), ...next]
      .filter(isBehind)
      .sort((a, b) => order * compare(a, b))
      .slice(0, limit);
  }

  /** Updates the cached share from the total of a page: the first page counts all, a later one a part. */
  #update({ query, namespace }: Answer, count: number, isAll: boolean): void {
    const { counters } = this.#options;
    const wanted = filterCounters(namespace.namespaceId, query);
    const size = estimateSize(wanted, counters.of(namespace.namespaceId));
    if (isAll || count > (size.eligible ?? 0)) {
      counters.update(namespace.namespaceId, shareCounter(wanted, size, count));
    }
  }

  /** Undefined: there is no index. */
  async #unlessMissing<T>(scope: NamespaceKey, ask: () => Promise<T>): Promise<T | undefined> {
    try {
      return await ask();
    } catch (error) {
      if (!isMissingIndex(error)) throw error;
      this.#options.missing(scope);
      return undefined;
    }
  }

  /** Sends commands with the query of a filter, in one round trip. Undefined: nothing can pass. */
  async #ask(
    scope: NamespaceKey,
    filter: MemoryFilter,
    commands: (query: MemoryQuery, namespace: NamespaceRedisKeys) => readonly Command[],
  ): Promise<Answer | undefined> {
    let asked: Omit<Answer, "replies"> | undefined;
    const replies = await this.#namespaces.pipeline(scope, (namespace) => {
      const query = memoryQuery(namespace.namespaceId, filter);
      asked = query && { query, namespace };
      return query === undefined ? [] : commands(query, namespace);
    });
    return replies && asked && { ...asked, replies };
  }

  /** Whether the index holds all that the filter asks for. */
  #isIndexed(scope: NamespaceKey, filter: MemoryFilter): boolean {
    return !asksForAccess(filter) && (filter.asOf === undefined || this.#options.hasHistory(scope));
  }

  #index(scope: NamespaceKey): string {
    return indexNames(this.#options.indexes, this.#namespaces.keys, this.#namespaces.partition(scope))
      .memories;
  }
}

const TIES = { fields: ["created"], limit: MAX_RESULTS };

interface Answer {
  readonly query: MemoryQuery;
  readonly namespace: NamespaceRedisKeys;
  readonly replies: readonly Reply[];
}

/** The same query, limited to a range of create times. */
function created(
  { text, params }: MemoryQuery,
  when: "before" | "after" | "at",
  time: number,
): Pick<MemoryQuery, "text" | "params"> {
  const range = { before: "[-inf ($moment]", after: "[($moment +inf]", at: "[$moment $moment]" }[when];
  return { text: `${text} @created:${range}`, params: new Map([...params, ["moment", String(time)]]) };
}

/** Positions of memories, and the total number of matches. */
interface Positions {
  readonly total: number;
  /** Without a create time: RediSearch could not read the key. */
  readonly found: readonly { readonly id: string; readonly createTime: number | undefined }[];
}

function readPositions(reply: Reply | undefined, namespace: NamespaceRedisKeys): Positions {
  const found: Positions["found"][number][] = [];
  const total = readIndexReply(reply, namespace, (id, fields) => {
    const created = fields.get("created");
    found.push({ id, createTime: created === undefined ? undefined : numberOf(created) });
  });
  return { total, found };
}

function positionsOf(positions: Positions | undefined): ListPosition[] {
  return (positions?.found ?? []).map(({ id, createTime = 0 }) => ({ id, createTime }));
}

/** Whether positions are missing: there are too many, or RediSearch could not read a key. */
function isCut(positions: Positions | undefined): boolean {
  return positions !== undefined && (positions.total > positions.found.length || isUnread(positions));
}

function isUnread({ found }: Positions): boolean {
  return found.some(({ createTime }) => createTime === undefined);
}

/** By bytes, as in a sorted set of Redis. */
function compare(a: ListPosition, b: ListPosition): number {
  return a.createTime - b.createTime || Buffer.compare(Buffer.from(a.id), Buffer.from(b.id));
}
