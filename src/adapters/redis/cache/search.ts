import { LRUCache } from "lru-cache";
import type { NamespaceKey } from "../../../domain/access/tenancy.ts";
import type { CacheEntry } from "../../../domain/cache/entry.ts";
import type { Neighbour } from "../../../domain/cache/matching.ts";
import { clampSimilarity, vectorToBytes } from "../../../domain/embedding/vector.ts";
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
import { type CacheRead, type CacheReader, liveAt } from "./reader.ts";

/** A graph that keeps less in sight misses near entries: of the nearest three of 3,000, one in seven with 3. */
const MIN_EF = 64;

/** What an index answers at most (MAXSEARCHRESULTS of RediSearch). */
const MAX_RESULTS = 10_000;

/** Cache scopes whose size is cached, and for how long it is good enough for a plan. */
const MAX_SCOPES = 10_000;
const SIZE_MS = 10_000;

/** A cache scope as the last search in it found it. */
interface ScopeSize {
  readonly token: string;
  /** How many entries it has; undefined: not known yet. */
  readonly entries: number | undefined;
  readonly seen: number;
}

export interface CacheSearchOptions {
  readonly entries: EntryCache;
  readonly reader: CacheReader;
  readonly model: VectorModel;
  readonly indexes: IndexNames;
  readonly vectors: VectorIndexOptions;
  /** Removes expired entries, a bounded number. */
  readonly sweep: (scope: NamespaceKey, now: number) => Promise<void>;
  /** An index was asked and is not there. */
  readonly missing: (scope: NamespaceKey) => void;
}

interface Asking {
  readonly count: number;
  readonly now: number;
  /** Of the entry that is read beside. */
  readonly id: string | undefined;
}

interface Answer {
  readonly read: CacheRead | undefined;
  /** Undefined for an entry that was deleted while the index answered. */
  readonly found: readonly (Neighbour | undefined)[] | typeof MODEL_CHANGED;
}

const NOTHING: Answer = { read: undefined, found: [] };

/** Finds the nearest entries of a cache scope, and the one with an id beside them, in one round trip. */
export class CacheSearch {
  readonly #client: RedisClient;
  readonly #namespaces: Namespaces;
  readonly #options: CacheSearchOptions;
  readonly #scopes = new LRUCache<string, ScopeSize>({ max: MAX_SCOPES });

  constructor(client: RedisClient, namespaces: Namespaces, options: CacheSearchOptions) {
    this.#client = client;
    this.#namespaces = namespaces;
    this.#options = options;
  }

  /** Forgets what was found before. */
  clearCache(): void {
    this.#scopes.clear();
  }

  /** `exact` is the entry with the id; without an id there is none. */
  async search(scope: NamespaceKey, query: NearestQuery, now: number, id?: string): Promise<FoundEntries> {
    const { model, sweep } = this.#options;
    let count = Math.min(query.limit, MAX_RESULTS);
    let exact: CacheEntry | undefined;
    const attempt = async (): Promise<FoundEntries | typeof MODEL_CHANGED> => {
      model.check(query.model);
      const { read, found } = await this.#ask(scope, query, { count, now, id });
      exact = liveAt(now, read?.entry);
      if (found === MODEL_CHANGED) return MODEL_CHANGED;
      const live = found.flatMap((one) => (one !== undefined && one.entry.expireTime > now ? [one] : []));
      const enough = live.length >= query.limit || found.length < count || count === MAX_RESULTS;
      if (enough) return { exact, nearest: live.slice(0, query.limit) };
      // Expired entries took the place of others. The next attempt asks for twice as many, up to MAX_RESULTS.
      await sweep(scope, now);
      count = Math.min(2 * count, MAX_RESULTS);
      return attempt();
    };
    return withCurrentModel(model, attempt, { behind: () => ({ exact, nearest: [] }) });
  }

  /**
   * One round trip, as long as the namespace is known as it is: the search, and behind it what shows that it went by the
   * right number and the right generation.
   */
  async #ask(scope: NamespaceKey, query: NearestQuery, { count, now, id }: Asking): Promise<Answer> {
    const { model, reader } = this.#options;
    const { identity, generation } = model;
    for (let tries = 0; tries < MAX_NAMESPACE_RETRIES; tries += 1) {
      const namespace = await this.#namespaces.find(scope);
      if (namespace === undefined) return NOTHING;
      const name = namespace.namespaceId + query.fingerprint;
      const known = this.#scopes.get(name) ?? {
        token: scopeToken(namespace.namespaceId, query.fingerprint),
        entries: undefined,
        seen: 0,
      };
      const { token } = known;
      const replies = await unlessModelChanged(model, () =>
        Promise.all([
          identity === undefined
            ? undefined
            : this.#searchIndex(scope, this.#search(namespace, known, query.vector, { count, generation })),
          // A command costs this process about what a tenth of the search does.
          known.entries !== undefined && Math.abs(now - known.seen) <= SIZE_MS
            ? undefined
            : this.#client.command("HGET", namespace.cacheSizes, token),
          reader.read(scope, namespace, id),
        ]),
      );
      if (replies === MODEL_CHANGED) return { read: undefined, found: MODEL_CHANGED };
      const [results, size, read] = replies;
      // The namespace is another one by now, or none.
      if (read === undefined) continue;
      if (results === undefined) return { read, found: [] };
      if (read.generation !== generation) return { read, found: MODEL_CHANGED };
      if (size !== undefined) this.#scopes.set(name, { token, entries: numberOf(size), seen: now });
      return { read, found: this.#read(namespace, listOf(results)) };
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
      ...["RETURN", 3, "distance", "version", "rec"],
      ...["PARAMS", 6, "scope", token, "count", count],
      ...["vector", Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)],
      ...["DIALECT", 2],
    ];
  }

  /**
   * Left to itself, RediSearch compares all entries of a large scope one by one. A scope whose size this process does
   * not know yet is left to it nevertheless: mostly it is small.
   */
  #plan(eligible: number | undefined, limit: number): string {
    const { algorithm, hnsw } = this.#options.vectors;
    if (eligible === undefined) return "";
    const plan = planKnn({ algorithm, eligible, limit, efRuntime: Math.max(MIN_EF, hnsw.efRuntime) });
    return plan.policy === "ADHOC_BF"
      ? "HYBRID_POLICY ADHOC_BF"
      : `HYBRID_POLICY BATCHES EF_RUNTIME ${plan.ef}`;
  }

  /** `{total, key, {field, value, ...}, ...}`; undefined for an entry that went while the index answered. */
  #read(namespace: NamespaceRedisKeys, results: readonly Reply[]): (Neighbour | undefined)[] {
    const found: (Neighbour | undefined)[] = [];
    for (let at = 1; at + 1 < results.length; at += 2) {
      found.push(this.#neighbour(namespace, textOf(results[at]) ?? "", results[at + 1]));
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
