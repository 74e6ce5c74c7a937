import type { Scope } from "../../../domain/access/tenancy.ts";
import type { StepLimits } from "../../../domain/memory/batch-steps.ts";
import type { MemoryFilter } from "../../../domain/memory/filter.ts";
import type { Memory, StoredMemory } from "../../../domain/memory/memory.ts";
import type { EmbedderIdentity } from "../../../ports/embedding/embedder.ts";
import type { IdempotentRequest } from "../../../ports/idempotency.ts";
import type { Log } from "../../../ports/log.ts";
import type {
  CandidateQuery,
  Candidates,
  CreateOptions,
  CreateOutcome,
  ImportedMemory,
  ImportOutcome,
  ListPosition,
  MemoryStore,
  NewMemory,
  RefusedMemory,
  Replacement,
} from "../../../ports/memory/memory-store.ts";
import type { RedisClient } from "../connection/client.ts";
import type { IndexNames, VectorIndexOptions } from "../indexes/schema.ts";
import type { VectorModel } from "../indexes/vector-model.ts";
import type { Namespaces } from "../namespaces/namespace-ids.ts";
import { type PackRecord, packRecord } from "../namespaces/records.ts";
import { MemoryAccesses } from "./access-counts.ts";
import { SeenNumbers } from "./counter-cache.ts";
import { FilteredMemories } from "./filtered-memories.ts";
import { MemoryPages } from "./pages.ts";
import { MemoryPurge } from "./purge.ts";
import { MemoryReads, walkingSource } from "./reads.ts";
import { MemorySearch } from "./search.ts";
import { stepLimits } from "./step-limits.ts";
import type { Sweeper } from "./sweeper.ts";
import { MemoryWalk } from "./walk.ts";
import { MemoryWrites } from "./writer.ts";

export interface RedisMemoryStoreOptions {
  readonly model: VectorModel;
  /** Default: as JSON. */
  readonly pack?: PackRecord;
  readonly indexes: IndexNames;
  readonly vectors: VectorIndexOptions;
  readonly sweeper: Sweeper;
  /** An index was asked and is not there. */
  readonly missing: (scope: Scope) => void;
  /** A write of this process has left a memory waiting for its vector. */
  readonly onWaiting: () => void;
  readonly log: Log;
}

/** Memories in Redis. */
export class RedisMemoryStore implements MemoryStore, AsyncDisposable {
  readonly #accesses: MemoryAccesses;
  readonly #reads: MemoryReads;
  readonly #writes: MemoryWrites;
  readonly #purge: MemoryPurge;
  readonly #search: MemorySearch;
  readonly #caches: readonly { forgetAll(): void }[];
  readonly #model: VectorModel;

  constructor(
    client: RedisClient,
    namespaces: Namespaces,
    { model, pack = packRecord, indexes, vectors, sweeper, missing, onWaiting, log }: RedisMemoryStoreOptions,
  ) {
    this.#model = model;
    this.#accesses = new MemoryAccesses(namespaces, log);
    const pages = new MemoryPages(namespaces, model, this.#accesses);
    const walk = new MemoryWalk(namespaces, pages, model);
    const seen = new SeenNumbers();
    this.#caches = [this.#accesses, pages, seen];
    const sweep = (scope: Scope, now: number): Promise<void> =>
      sweeper.sweepEnded(namespaces.partition(scope), now);
    const otherwise = walkingSource(pages);
    const filtered = new FilteredMemories(namespaces, pages, { indexes, seen, otherwise, sweep, missing });
    this.#reads = new MemoryReads(namespaces, pages, filtered);
    this.#writes = new MemoryWrites(namespaces, {
      model,
      pack,
      accesses: this.#accesses,
      reads: this.#reads,
      onWritten: (scope, { now, isPending }) => {
        sweeper.afterWrite(namespaces.partition(scope), now);
        if (isPending) onWaiting();
      },
    });
    this.#purge = new MemoryPurge(namespaces, model, this.#reads, this.#accesses);
    this.#search = new MemorySearch({
      client,
      namespaces,
      model,
      indexes,
      vectors,
      seen,
      sweep,
      missing,
      walk: (scope, query, now) => walk.search(scope, query, now),
    });
  }

  /** Drops all that was kept of what Redis holds: it was replaced. */
  forgetAll(): void {
    for (const cache of this.#caches) cache.forgetAll();
  }

  /** Writes the accesses that were counted. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.#accesses[Symbol.asyncDispose]();
  }

  get stepLimits(): StepLimits {
    return stepLimits(this.#model);
  }

  create(
    scope: Scope,
    items: readonly (NewMemory | RefusedMemory)[],
    options: CreateOptions,
  ): Promise<CreateOutcome[]> {
    return this.#writes.create(scope, items, options);
  }

  import(
    scope: Scope,
    items: readonly ImportedMemory[],
    options: { readonly now: number },
  ): Promise<ImportOutcome[]> {
    return this.#writes.import(scope, items, options);
  }

  exist(scope: Scope, ids: readonly string[], now: number): Promise<boolean[]> {
    return this.#reads.exist(scope, ids, now);
  }

  get(scope: Scope, ids: readonly string[], now: number): Promise<(StoredMemory | undefined)[]> {
    return this.#reads.get(scope, ids, now);
  }

  list(
    scope: Scope,
    options: {
      readonly filter: MemoryFilter;
      readonly after?: ListPosition;
      readonly limit: number;
      readonly now: number;
    },
  ): Promise<StoredMemory[]> {
    return this.#reads.list(scope, options);
  }

  listOldest(
    scope: Scope,
    options: {
      readonly filter: MemoryFilter;
      readonly after?: ListPosition;
      readonly limit: number;
      readonly maxBytes: number;
      readonly now: number;
    },
  ): Promise<Memory[]> {
    return this.#reads.listOldest(scope, options);
  }

  delete(
    scope: Scope,
    id: string,
    options: { readonly etag?: string; readonly now: number; readonly request?: IdempotentRequest },
  ): Promise<void> {
    return this.#writes.delete(scope, id, options);
  }

  replace(
    scope: Scope,
    expectedEtag: string,
    replacement: Replacement,
    options: { readonly now: number; readonly request?: IdempotentRequest },
  ): Promise<StoredMemory> {
    return this.#writes.replace(scope, expectedEtag, replacement, options);
  }

  recallReplace(
    scope: Scope,
    id: string,
    options: { readonly now: number; readonly request: IdempotentRequest },
  ): Promise<StoredMemory | undefined> {
    return this.#writes.recallReplace(scope, id, options);
  }

  countAccess(scope: Scope, ids: readonly string[], now: number): void {
    this.#accesses.count(scope, ids, now);
  }

  count(scope: Scope, filter: MemoryFilter, now: number): Promise<number> {
    return this.#reads.count(scope, filter, now);
  }

  purge(
    scope: Scope,
    filter: MemoryFilter,
    options: { readonly now: number; readonly request?: IdempotentRequest },
  ): Promise<number> {
    return this.#purge.run(scope, filter, options);
  }

  search(scope: Scope, query: CandidateQuery, now: number): Promise<Candidates> {
    return this.#search.search(scope, query, now);
  }

  vectors(
    scope: Scope,
    ids: readonly string[],
    model?: EmbedderIdentity,
  ): Promise<(Float32Array | undefined)[]> {
    return this.#search.vectors(scope, ids, model);
  }
}
