import type { NamespaceKey } from "../../../domain/access/tenancy.ts";
import type { FeedLimits } from "../../../domain/memory/changes.ts";
import type { Log } from "../../../ports/log.ts";
import type { Memories } from "../../../ports/memory/memories.ts";
import type { Sleep } from "../../../ports/sleep.ts";
import type { RedisClient } from "../connection/client.ts";
import type { IndexNames, VectorIndexOptions } from "../indexes/schema.ts";
import type { VectorModel } from "../indexes/vector-model.ts";
import type { Namespaces } from "../namespaces/namespace-ids.ts";
import { type PackRecord, packRecord } from "../namespaces/records.ts";
import { MemoryAccesses } from "./access-counts.ts";
import { MemoryChangeWriter } from "./change-writer.ts";
import { RedisChangeFeed } from "./changes.ts";
import { CounterCache } from "./counter-cache.ts";
import { FilteredMemories } from "./filtered-memories.ts";
import { HistoryFields } from "./history-fields.ts";
import { MemoryPages } from "./pages.ts";
import { MemoryPurge } from "./purge.ts";
import { MemoryReads, walkingSource } from "./reads.ts";
import { RedisMemoryRevisions } from "./revisions.ts";
import { MemorySearch } from "./search.ts";
import type { Sweeper } from "./sweeper.ts";
import { MemoryWalk } from "./walk.ts";
import { MemoryWrites, type MemoryWritesOptions } from "./writer.ts";

export interface RedisMemoriesOptions {
  readonly model: VectorModel;
  /** Default: as JSON. */
  readonly pack?: PackRecord;
  readonly indexes: IndexNames;
  readonly vectors: VectorIndexOptions;
  readonly sweeper: Sweeper;
  /** How many revisions of a memory are kept. */
  readonly maxRevisions: number;
  /** Called when a search found no index. */
  readonly missing: (scope: NamespaceKey) => void;
  /** Called when a write of this process has left a memory pending. */
  readonly onPending: () => void;
  /** How much of each change feed is kept. */
  readonly feedLimits: FeedLimits;
  /** For the pauses between two polls of the change feeds. */
  readonly sleep: Sleep;
  readonly log: Log;
}

/** Memories in Redis. Disposing of them flushes the pending access counts. */
export interface RedisMemories extends Memories, AsyncDisposable {
  /** What a compaction changes. */
  readonly changeWriter: MemoryChangeWriter;
  /** Prepares the store for `as_of`, at the start and when it was replaced: see HistoryFields. */
  openHistory(): Promise<void>;
  /** Clears all caches: the store in Redis was replaced. */
  clearCache(): void;
}

export function openMemories(
  client: RedisClient,
  namespaces: Namespaces,
  options: RedisMemoriesOptions,
): RedisMemories {
  const {
    model,
    pack = packRecord,
    indexes,
    vectors,
    sweeper,
    maxRevisions,
    missing,
    onPending,
    feedLimits,
    log,
  } = options;
  const accessCounts = new MemoryAccesses(namespaces, log);
  const pages = new MemoryPages(namespaces, model, accessCounts);
  const walk = new MemoryWalk(namespaces, pages, model);
  const counters = new CounterCache();
  const sweep = (scope: NamespaceKey, now: number): Promise<void> =>
    sweeper.sweepExpired(namespaces.partition(scope), now);
  const otherwise = walkingSource(pages);
  const history = new HistoryFields({ client, namespaces, pages, indexes, log });
  const hasHistory = (scope: NamespaceKey): boolean => history.isReady(scope);
  const shared = { indexes, counters, sweep, missing, hasHistory };
  const filtered = new FilteredMemories(namespaces, pages, { ...shared, otherwise });
  const reads = new MemoryReads(namespaces, pages, filtered);
  const writing: MemoryWritesOptions = {
    model,
    pack,
    accesses: accessCounts,
    reads,
    feedLimits,
    maxRevisions,
    onWritten: (scope, { now, isPending }) => {
      sweeper.afterWrite(namespaces.partition(scope), now);
      if (isPending) onPending();
    },
  };
  const writes = new MemoryWrites(namespaces, writing);
  const search = new MemorySearch({
    client,
    namespaces,
    model,
    vectors,
    ...shared,
    walk: (scope, query, now) => walk.search(scope, query, now),
  });
  const changes = new RedisChangeFeed(client, namespaces, options.sleep);
  return {
    reader: reads,
    writer: writes,
    purge: new MemoryPurge(namespaces, { model, reads, accesses: accessCounts, feedLimits }),
    search,
    accessCounts,
    exporter: reads,
    importer: writes,
    changeWriter: new MemoryChangeWriter(writing),
    changes,
    openHistory: () => history.open(),
    revisions: new RedisMemoryRevisions(namespaces),
    clearCache: () => {
      for (const cache of [accessCounts, pages, counters, history]) cache.clear();
    },
    [Symbol.asyncDispose]: async () => {
      await changes[Symbol.asyncDispose]();
      await history[Symbol.asyncDispose]();
      await accessCounts[Symbol.asyncDispose]();
    },
  };
}
