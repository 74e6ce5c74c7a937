import { LRUCache } from "lru-cache";
import type { NamespaceKey } from "../../../domain/access/tenancy.ts";
import type { CacheEntry } from "../../../domain/cache/entry.ts";
import type { Neighbour } from "../../../domain/cache/matching.ts";
import { NO_CACHE_POLICY } from "../../../domain/cache/policy.ts";
import { clampSimilarity, vectorToBytes } from "../../../domain/embedding/vector.ts";
import { atMostEntries } from "../../../lib/lru-options.ts";
import type { FoundEntries, NearestQuery } from "../../../ports/cache/cache-store.ts";
import type { Command, RedisClient, Reply } from "../connection/client.ts";
import { asciiOf, bytesOf, fieldOf, listOf, numberOf, textOf } from "../connection/replies.ts";
import { planKnn } from "../indexes/knn-plan.ts";
import { unlessModelChanged, withCurrentModel } from "../indexes/model-retry.ts";
import {
  type IndexNames,
  indexIsMade,
  indexNames,
  isMissingIndex,
  type VectorIndexOptions,
  vectorField,
} from "../indexes/schema.ts";
import type { VectorModel } from "../indexes/vector-model.ts";
import type { NamespaceRedisKeys } from "../namespaces/keys.ts";
import { MAX_NAMESPACE_RETRIES, type Namespaces, namespaceIsChanging } from "../namespaces/namespace-ids.ts";
import { MODEL_CHANGED } from "../namespaces/namespace-script.ts";
import { unpackRecord } from "../namespaces/records.ts";
import type { EntryCache } from "./entry-cache.ts";
import { scopeToken } from "./entry-fields.ts";
import { type Invalidations, isInvalidated } from "./invalidation-names.ts";
import { type CacheRead, type CacheReader, liveAt } from "./reader.ts";

/** A smaller ef misses near entries: with 3, one in seven of the nearest three of 3,000. */
const MIN_EF = 64;

/** The most results of one search (MAXSEARCHRESULTS of RediSearch). */
const MAX_RESULTS = 10_000;

/**
 * The most results of a search that finds invalidated entries, which are being removed: each contains its answer, of some
 * kilobytes, and a lookup must not wait for thousands. Behind more than these, others are not found for a few seconds.
 */
const MAX_INVALIDATED = 192;

/** Cache scopes whose size is cached, and for how long it is used for plans. */
const MAX_SCOPES = 10_000;
const SIZE_MS = 10_000;

/** The cached size of a cache scope. */
interface ScopeSize {
  readonly token: string;
  /** Number of entries; undefined: not read yet. */
  readonly entries: number | undefined;
  readonly readTime: number;
}

export interface CacheSearchOptions {
  readonly entries: EntryCache;
  readonly reader: CacheReader;
  readonly model: VectorModel;
  readonly indexes: IndexNames;
  readonly vectors: VectorIndexOptions;
  /** Removes expired and invalidated entries, a bounded number. */
  readonly sweep: (scope: NamespaceKey, now: number) => Promise<void>;
  /** Called when a search found no index. */
  readonly missing: (scope: NamespaceKey) => void;
}

interface SearchRound {
  readonly count: number;
  readonly now: number;
  /** The id of the entry to read in the same round trip; undefined: none. */
  readonly id: string | undefined;
}

interface RoundResult {
  readonly read: CacheRead | undefined;
  /** Undefined for an entry that was deleted during the search; "invalidated" for one that is still to be removed. */
  readonly found: readonly (Neighbour | undefined | "invalidated")[] | typeof MODEL_CHANGED;
}

const NO_NAMESPACE: RoundResult = { read: undefined, found: [] };

/** Finds the nearest entries of a cache scope, and the entry with an id, in one round trip. */
export class CacheSearch {
  readonly #client: RedisClient;
  readonly #namespaces: Namespaces;
  readonly #options: CacheSearchOptions;
  readonly #scopes = new LRUCache<string, ScopeSize>(atMostEntries(MAX_SCOPES));

  constructor(client: RedisClient, namespaces: Namespaces, options: CacheSearchOptions) {
    this.#client = client;
    this.#namespaces = namespaces;
    this.#options = options;
  }

  /** Clears the cached sizes. */
  clearCache(): void {
    this.#scopes.clear();
  }

  /** `exact` is the entry with the id; without an id there is none. */
  async search(scope: NamespaceKey, query: NearestQuery, now: number, id?: string): Promise<FoundEntries> {
    const { model, sweep } = this.#options;
    let count = Math.min(query.limit, MAX_RESULTS);
    let exact: CacheEntry | undefined;
    let policy = NO_CACHE_POLICY;
    let generation: number | undefined;
    const attempt = async (): Promise<FoundEntries | typeof MODEL_CHANGED> => {
      model.check(query.model);
      const { read, found } = await this.#searchRound(scope, query, { count, now, id });
      exact = liveAt(now, read?.entry);
      policy = read?.policy ?? NO_CACHE_POLICY;
      generation ??= read?.invalidations.generation ?? 0;
      if (found === MODEL_CHANGED) return MODEL_CHANGED;
      const live = found.flatMap((one) =>
        one !== undefined && one !== "invalidated" && one.entry.expireTime > now ? [one] : [],
      );
      const most = found.includes("invalidated") ? Math.max(MAX_INVALIDATED, query.limit) : MAX_RESULTS;
      const enough = live.length >= query.limit || found.length < count || count >= most;
      if (enough) return { exact, nearest: live.slice(0, query.limit), policy, generation };
      // Expired or invalidated entries crowded out others. The next round asks for more.
      await sweep(scope, now);
      count = Math.min(4 * count, most);
      return attempt();
    };
    return withCurrentModel(model, attempt, {
      behind: () => ({ exact, nearest: [], policy, generation: generation ?? 0 }),
    });
  }

  /**
   * One round trip while the cached namespaceId is right: the search, followed by a read that verifies the namespaceId
   * and the generation.
   */
  async #searchRound(
    scope: NamespaceKey,
    query: NearestQuery,
    { count, now, id }: SearchRound,
  ): Promise<RoundResult> {
    const { model, reader } = this.#options;
    const { identity, generation } = model;
    for (let tries = 0; tries < MAX_NAMESPACE_RETRIES; tries += 1) {
      const namespace = await this.#namespaces.find(scope);
      if (namespace === undefined) return NO_NAMESPACE;
      const name = namespace.namespaceId + query.fingerprint;
      const scopeSize = this.#scopes.get(name) ?? {
        token: scopeToken(namespace.namespaceId, query.fingerprint),
        entries: undefined,
        readTime: 0,
      };
      const { token } = scopeSize;
      const replies = await unlessModelChanged(model, () =>
        Promise.all([
          identity === undefined
            ? undefined
            : this.#searchIndex(
                scope,
                this.#search(namespace, scopeSize, query.vector, { count, generation }),
              ),
          // The command costs this process about a tenth of the search.
          scopeSize.entries !== undefined && Math.abs(now - scopeSize.readTime) <= SIZE_MS
            ? undefined
            : this.#client.command("HGET", namespace.cacheSizes, token),
          reader.read(scope, namespace, id),
        ]),
      );
      if (replies === MODEL_CHANGED) return { read: undefined, found: MODEL_CHANGED };
      const [results, size, read] = replies;
      // The namespace was deleted, or created again with another id.
      if (read === undefined) continue;
      if (results === undefined) return { read, found: [] };
      if (read.generation !== generation) return { read, found: MODEL_CHANGED };
      if (size !== undefined) this.#scopes.set(name, { token, entries: numberOf(size), readTime: now });
      return { read, found: this.#read(namespace, listOf(results), read.invalidations) };
    }
    throw namespaceIsChanging();
  }

  async #searchIndex(scope: NamespaceKey, command: Command): Promise<Reply> {
    try {
      return await this.#client.command(...command);
    } catch (error) {
      if (!isMissingIndex(error)) throw error;
      this.#options.missing(scope);
      throw indexIsMade();
    }
  }

  #search(
    { partition }: NamespaceRedisKeys,
    { token, entries }: ScopeSize,
    vector: Float32Array,
    { count, generation }: { readonly count: number; readonly generation: number },
  ): Command {
    const bytes = vectorToBytes(vector);
    return [
      "FT.SEARCH",
      indexNames(this.#options.indexes, this.#namespaces.keys, partition).cache,
      `(@scope:{$scope})=>[KNN $count @${vectorField(generation)} $vector ${this.#plan(entries, count)} AS distance]`,
      ...["SORTBY", "distance", "LIMIT", 0, count],
      ...["RETURN", 4, "distance", "version", "stamp", "rec"],
      ...["PARAMS", 6, "scope", token, "count", count],
      ...["vector", Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)],
      ...["DIALECT", 2],
    ];
  }

  /**
   * By default, RediSearch compares all entries of a large scope one by one. The default is used for a scope of unknown
   * size, which is mostly small.
   */
  #plan(eligible: number | undefined, limit: number): string {
    const { algorithm, hnsw } = this.#options.vectors;
    if (eligible === undefined) return "";
    // How many entries the index has is not known, and matters only for scopes of more than a thousand.
    const efRuntime = Math.max(MIN_EF, hnsw.efRuntime);
    const plan = planKnn({ algorithm, eligible, indexed: eligible, limit, efRuntime });
    return plan.policy === "ADHOC_BF"
      ? "HYBRID_POLICY ADHOC_BF"
      : `HYBRID_POLICY BATCHES EF_RUNTIME ${plan.ef}`;
  }

  /** `{total, key, {field, value, ...}, ...}` */
  #read(
    namespace: NamespaceRedisKeys,
    results: readonly Reply[],
    invalidations: Invalidations,
  ): (Neighbour | undefined | "invalidated")[] {
    const found: (Neighbour | undefined | "invalidated")[] = [];
    for (let at = 1; at + 1 < results.length; at += 2) {
      const fields = results[at + 1];
      found.push(
        isInvalidated(invalidations, asciiOf(fieldOf(fields, "stamp")))
          ? "invalidated"
          : this.#neighbour(namespace, textOf(results[at]) ?? "", fields),
      );
    }
    return found;
  }

  #neighbour(namespace: NamespaceRedisKeys, key: string, fields: Reply | undefined): Neighbour | undefined {
    const [record, version] = [bytesOf(fieldOf(fields, "rec")), asciiOf(fieldOf(fields, "version"))];
    if (record === undefined || version === undefined) return undefined;
    return {
      entry: this.#entry(namespace, key, { record, version }),
      similarity: clampSimilarity(1 - numberOf(fieldOf(fields, "distance"))),
    };
  }

  #entry(
    namespace: NamespaceRedisKeys,
    key: string,
    { record, version }: { readonly record: Buffer; readonly version: string },
  ): CacheEntry {
    const { entries } = this.#options;
    const cached = entries.get(key);
    if (cached?.version === version) return cached.entry;
    const id = key.slice(namespace.cacheEntries.length);
    const entry = unpackRecord<CacheEntry>(record, `cache entry ${id}`);
    entries.set(key, { version, entry });
    return entry;
  }
}
