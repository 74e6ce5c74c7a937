import { randomBytes } from "node:crypto";
import type { Scope } from "../../../domain/access/tenancy.ts";
import { type CacheEntry, entryBytes } from "../../../domain/cache/entry.ts";
import { keepScore } from "../../../domain/cache/eviction.ts";
import { type CacheLookup, LookupTally, type NamespaceTally } from "../../../domain/cache/lookup-counts.ts";
import { vectorToBytes } from "../../../domain/embedding/vector.ts";
import { cacheEntryChanged, cacheEntryNotFound, type RecollectError } from "../../../domain/errors.ts";
import type {
  CacheListQuery,
  CacheLookupQuery,
  CacheStats,
  CacheStore,
  FoundEntries,
} from "../../../ports/cache/cache-store.ts";
import type { IdempotentRequest } from "../../../ports/idempotency.ts";
import type { Log } from "../../../ports/log.ts";
import { BatchedWrites } from "../connection/batched-writes.ts";
import type { RedisClient } from "../connection/client.ts";
import { MODEL_TRIES, modelIsChanging, unavailable } from "../connection/errors.ts";
import { listOf, numberOf, textOf } from "../connection/replies.ts";
import { readScript } from "../connection/script.ts";
import type { IndexNames, VectorIndexOptions } from "../indexes/schema.ts";
import type { VectorModel } from "../indexes/vector-model.ts";
import { repeated, requestArguments } from "../namespaces/idempotency.ts";
import type { NamespaceScript, Namespaces } from "../namespaces/namespace-ids.ts";
import { type PackRecord, packRecord } from "../namespaces/records.ts";
import { entryCache } from "./entry-cache.ts";
import { packFacts, scopeToken } from "./entry-fields.ts";
import { CacheList } from "./list.ts";
import { CacheReader } from "./reader.ts";
import { cacheArguments, cacheKeys, cacheScript } from "./script.ts";
import { CacheSearch } from "./search.ts";

const PUT = readScript(new URL("./put-cache-entry.lua", import.meta.url), {
  libraries: ["namespace", "request", "cache"],
  effect: "writes",
});
const DELETE = readScript(new URL("./delete-cache-entry.lua", import.meta.url), {
  libraries: ["namespace", "request", "cache"],
  effect: "frees",
});
const SWEEP = readScript(new URL("./sweep-cache.lua", import.meta.url), {
  libraries: ["namespace", "cache"],
  effect: "frees",
});
const STATS = readScript(new URL("./read-cache-stats.lua", import.meta.url), {
  libraries: ["namespace", "cache"],
  effect: "frees",
});
const COUNT = readScript(new URL("./count-lookups.lua", import.meta.url), {
  libraries: ["namespace"],
  effect: "writes",
});

const VERSION_BYTES = 9;

/** Steps of one call: each makes room for a bounded number of entries, and what is left is for the next call. */
const MAX_STEPS = 1000;

type PutOptions = Parameters<CacheStore["put"]>[2];

/** Cached answers in Redis. What ended while nobody called leaves its name behind, until the next put, stats or nearest. */
export class RedisCacheStore implements CacheStore, AsyncDisposable {
  readonly #namespaces: Namespaces;
  readonly #model: VectorModel;
  readonly #pack: PackRecord;
  readonly #reader: CacheReader;
  readonly #list: CacheList;
  readonly #search: CacheSearch;
  readonly #tally = new LookupTally();
  readonly #lookups: BatchedWrites<NamespaceTally[]>;

  constructor(
    client: RedisClient,
    namespaces: Namespaces,
    options: {
      readonly model: VectorModel;
      /** Default: as JSON. */
      readonly pack?: PackRecord;
      readonly indexes: IndexNames;
      readonly vectors: VectorIndexOptions;
      /** An index was asked and is not there. */
      readonly missing: (scope: Scope) => void;
      readonly log: Log;
    },
  ) {
    const { model, pack = packRecord, log } = options;
    this.#namespaces = namespaces;
    this.#model = model;
    this.#pack = pack;
    const entries = entryCache();
    this.#reader = new CacheReader(client, namespaces, entries);
    this.#list = new CacheList(namespaces, entries);
    this.#search = new CacheSearch(client, namespaces, {
      entries,
      reader: this.#reader,
      ...options,
      sweep: (scope, now) => this.#sweep(scope, now),
    });
    this.#lookups = new BatchedWrites({
      log,
      lost: "cache lookups could not be counted",
      take: () => (this.#tally.size === 0 ? undefined : this.#tally.take()),
      write: (tallies) => Promise.all(tallies.map((tally) => this.#writeTally(tally))),
    });
    // They were asked of a namespace that was not there, or of the one that was deleted.
    namespaces.onCreated((scope) => this.#tally.forget(scope));
  }

  async lookup(
    namespace: Scope,
    { id, nearest }: CacheLookupQuery,
    now: number,
  ): Promise<FoundEntries> {
    if (nearest !== undefined) return this.#search.search(namespace, nearest, now, id);
    return { exact: id === undefined ? undefined : await this.#reader.find(namespace, id, now), nearest: [] };
  }

  list(
    scope: Scope,
    query: CacheListQuery,
  ): Promise<{ readonly entries: CacheEntry[]; readonly more: boolean }> {
    return this.#list.page(scope, query);
  }

  async put(
    scope: Scope,
    entry: CacheEntry,
    options: PutOptions,
  ): Promise<{ readonly entry: CacheEntry; readonly replaced: boolean; readonly evicted: number }> {
    // Before it, so that what was served lately is not taken for unused.
    const counting = this.#lookups.flush();
    if (counting !== undefined) await counting;
    let script = this.#putting(entry, options);
    let evicted = 0;
    let modelTries = 0;
    for (let step = 0; step < MAX_STEPS; step += 1) {
      const { generation } = this.#model;
      const reply = await this.#namespaces.run(scope, script);
      const before = repeated(reply);
      if (before !== undefined) {
        const { id, replaced } = outcomeOf(before);
        const kept = await this.#reader.find(scope, id, options.now);
        if (kept === undefined) throw cacheEntryNotFound(scope.namespace, id);
        return { entry: kept, replaced, evicted: 0 };
      }
      const [word, ...rest] = listOf(reply);
      if (textOf(word) === "DONE") {
        const { replaced } = outcomeOf(textOf(rest[0]) ?? "");
        return { entry, replaced, evicted: evicted + numberOf(rest[1]) };
      }
      if (textOf(word) === "AGAIN") {
        evicted += numberOf(rest[0]);
        continue;
      }
      modelTries += 1;
      if (modelTries > MODEL_TRIES) throw modelIsChanging();
      if (!(await this.#model.hasChangedSince(generation))) {
        script = this.#putting(entry, withoutVector(options));
      }
    }
    throw tooMuchToRemove();
  }

  async delete(
    scope: Scope,
    id: string,
    options: { readonly etag?: string; readonly now: number; readonly request?: IdempotentRequest },
  ): Promise<void> {
    const { etag, now, request } = options;
    const reply = await this.#namespaces.run(scope, {
      script: DELETE,
      mayRepeat: request !== undefined,
      keys: (namespace) => [
        ...cacheKeys(namespace),
        namespace.request(request?.key ?? ""),
        namespace.cacheEntry(id),
        namespace.partition.meta,
      ],
      args: (namespace) => [
        ...cacheArguments(namespace, now),
        ...requestArguments(request),
        ...[id, etag === undefined ? 0 : 1, etag ?? ""],
      ],
    });
    if (reply === undefined) throw cacheEntryNotFound(scope.namespace, id);
    if (repeated(reply) !== undefined) return;
    const [word, current] = listOf(reply).map(textOf);
    if (word === "ABSENT") throw cacheEntryNotFound(scope.namespace, id);
    if (word === "ETAG") {
      throw cacheEntryChanged(id, current ?? "");
    }
  }

  countLookup(scope: Scope, lookup: CacheLookup, now: number): void {
    this.#tally.add(scope, lookup, now);
    this.#lookups.counted(this.#tally.size);
  }

  async stats(scope: Scope, now: number): Promise<CacheStats> {
    await this.#lookups.flush();
    for (let step = 0; step < MAX_STEPS; step += 1) {
      const reply = await this.#namespaces.run(scope, cacheScript(STATS, now));
      const [word, ...counted] = reply === undefined ? [] : listOf(reply);
      if (textOf(word) === "AGAIN") continue;
      const at = (index: number): number => numberOf(counted[index]);
      return {
        entryCount: at(0),
        byteCount: at(1),
        exactHits: at(2),
        semanticHits: at(3),
        misses: at(4),
        stores: at(5),
        evictions: at(6),
      };
    }
    throw tooMuchToRemove();
  }

  /** Drops all that was kept of what Redis holds: it was replaced. */
  forgetAll(): void {
    this.#reader.forgetAll();
    this.#search.forgetAll();
    // Lookups of what is gone.
    this.#tally.take();
  }

  /** Writes what was counted. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.#lookups[Symbol.asyncDispose]();
  }

  #putting(entry: CacheEntry, options: PutOptions): NamespaceScript {
    const { maxEntries, now, request } = options;
    const { id, fingerprint, createTime, expireTime, etag } = entry;
    const version = randomBytes(VERSION_BYTES).toString("base64url");
    const record = this.#pack(entry);
    return {
      script: PUT,
      whenAbsent: "create",
      mayRepeat: request !== undefined,
      keys: (namespace) => [
        ...cacheKeys(namespace),
        namespace.request(request?.key ?? ""),
        namespace.partition.meta,
        namespace.cacheEntry(id),
      ],
      args: (namespace) => {
        // Asked anew with each attempt: the model may have changed in between.
        const vector = this.#model.takes(options.model) ? options.vector : undefined;
        const scope = scopeToken(namespace.number, fingerprint);
        const bytes = entryBytes(entry, vector?.length ?? 0);
        return [
          ...cacheArguments(namespace, now),
          ...requestArguments(request),
          ...[id, maxEntries, createTime, expireTime, keepScore({ lastUseTime: now })],
          ...[packFacts(entry, { bytes, scope }), bytes, scope, version, etag, record],
          ...(vector === undefined ? ["", ""] : [this.#model.generation, Buffer.from(vectorToBytes(vector))]),
        ];
      },
    };
  }

  /** Removes what has ended, a bounded number of entries. */
  async #sweep(scope: Scope, now: number): Promise<void> {
    await this.#namespaces.run(scope, cacheScript(SWEEP, now));
  }

  /** Lookups bring no namespace into being, and one that was deleted does not come back by them. */
  async #writeTally({ scope, exactHits, semanticHits, misses, lastUses }: NamespaceTally): Promise<void> {
    await this.#namespaces.run(scope, {
      script: COUNT,
      keys: (namespace) => [namespace.counters, namespace.cacheUses],
      args: () => [
        ...[exactHits, semanticHits, misses],
        ...[...lastUses].flatMap(([id, lastUseTime]) => [keepScore({ lastUseTime }), id]),
      ],
    });
  }
}

function tooMuchToRemove(): RecollectError {
  return unavailable("more cache entries have to be removed than one call does");
}

function withoutVector({ vector: _, ...others }: PutOptions): PutOptions {
  return others;
}

/** See put-cache-entry.lua. */
function outcomeOf(outcome: string): { readonly id: string; readonly replaced: boolean } {
  const end = outcome.indexOf(" ");
  return { id: outcome.slice(end + 1), replaced: outcome.slice(0, end) === "replaced" };
}
