import { LRUCache } from "lru-cache";
import type { CacheEntry } from "../../domain/cache/entry.ts";
import type { Neighbour } from "../../domain/cache/matching.ts";
import { RecollectError } from "../../domain/errors.ts";
import type { Scope } from "../../domain/tenancy.ts";
import { clampSimilarity, vectorToBytes } from "../../domain/vector.ts";
import type { EmbedderIdentity } from "../../ports/embedder.ts";
import { scopeToken } from "./cache-facts.ts";
import type { Command, Reply } from "./client.ts";
import type { NamespaceKeys } from "./keys.ts";
import type { KnownEntries } from "./known-entries.ts";
import type { Namespaces } from "./namespaces.ts";
import { unpackRecord } from "./record.ts";
import { bytesOf, listOf, numberOf, textOf } from "./replies.ts";
import { type IndexNames, indexNames, type VectorIndexOptions, vectorField } from "./schema.ts";
import type { VectorModel } from "./vector-model.ts";

/** Up to this many entries of an answer scope are compared one by one; above, the graph is walked. */
const EXACT_LIMIT = 1200;

/** A graph that is walked with less misses near entries. */
const MIN_EF = 64;

/** What an index answers at most (MAXSEARCHRESULTS of RediSearch). */
const MAX_RESULTS = 10_000;

/** Answer scopes whose size is remembered. */
const MAX_SIZES = 10_000;

export interface NearestQuery {
  readonly fingerprint: string;
  readonly vector: Float32Array;
  readonly model?: EmbedderIdentity;
  readonly limit: number;
}

export interface CacheSearchOptions {
  readonly model: VectorModel;
  readonly indexes: IndexNames;
  readonly vectors: VectorIndexOptions;
  /** Removes what has ended, a bounded number of entries. */
  readonly sweep: (scope: Scope, now: number) => Promise<void>;
}

/** The nearest entries of an answer scope, by one pipeline. */
export class CacheSearch {
  readonly #namespaces: Namespaces;
  readonly #known: KnownEntries;
  readonly #options: CacheSearchOptions;
  /** Entries of an answer scope, as the last search in it has found them. */
  readonly #sizes = new LRUCache<string, number>({ max: MAX_SIZES });

  constructor(namespaces: Namespaces, known: KnownEntries, options: CacheSearchOptions) {
    this.#namespaces = namespaces;
    this.#known = known;
    this.#options = options;
  }

  async nearest(scope: Scope, query: NearestQuery, now: number): Promise<Neighbour[]> {
    const { model, sweep } = this.#options;
    for (let count = Math.min(query.limit, MAX_RESULTS); ; count = Math.min(2 * count, MAX_RESULTS)) {
      model.check(query.model);
      if (model.identity === undefined) return [];
      const found = await this.#ask(scope, query, count);
      if (found === undefined) {
        await model.refresh();
        continue;
      }
      const live = found.flatMap((one) => (one !== undefined && one.entry.expireTime > now ? [one] : []));
      const enough = live.length >= query.limit || found.length < count || count === MAX_RESULTS;
      if (enough) return live.slice(0, query.limit);
      // What has ended stands in the way of what has not.
      await sweep(scope, now);
    }
  }

  /** One round trip. Undefined: the model is another by now. */
  async #ask(
    scope: Scope,
    query: NearestQuery,
    count: number,
  ): Promise<(Neighbour | undefined)[] | undefined> {
    const { generation } = this.#options.model;
    let namespace: NamespaceKeys | undefined;
    let token = "";
    let replies: Reply[] | undefined;
    try {
      replies = await this.#namespaces.pipeline(scope, (keys) => {
        namespace = keys;
        token = scopeToken(keys.number, query.fingerprint);
        return [
          ["HGET", keys.partition.meta, "generation"],
          ["HGET", keys.cacheSizes, token],
          this.#search(keys, token, query.vector, count),
        ];
      });
    } catch (error) {
      // The index may have lost the vectors of the model that was current a moment ago.
      if (error instanceof RecollectError || !(await this.#hasChanged(generation))) throw error;
      return undefined;
    }
    if (replies === undefined || namespace === undefined) return [];
    const [current, size, results] = replies;
    if (numberOf(current) !== generation) return undefined;
    this.#sizes.set(token, numberOf(size));
    return this.#read(namespace, listOf(results));
  }

  async #hasChanged(generation: number): Promise<boolean> {
    await this.#options.model.refresh();
    return this.#options.model.generation !== generation;
  }

  #search(keys: NamespaceKeys, token: string, vector: Float32Array, count: number): Command {
    const { model, indexes } = this.#options;
    const field = vectorField(model.generation);
    const bytes = vectorToBytes(vector);
    return [
      "FT.SEARCH",
      indexNames(indexes, this.#namespaces.keys, keys.partition).cache,
      `(@scope:{$scope})=>[KNN $count @${field} $vector ${this.#plan(token)} AS distance]`,
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
  #plan(token: string): string {
    const { algorithm, hnsw } = this.#options.vectors;
    const size = this.#sizes.get(token);
    if (algorithm === "FLAT" || size === undefined) return "";
    if (size <= EXACT_LIMIT) return "HYBRID_POLICY ADHOC_BF";
    return `HYBRID_POLICY BATCHES EF_RUNTIME ${Math.max(MIN_EF, hnsw.efRuntime)}`;
  }

  /** `{total, key, {field, value, ...}, ...}`; undefined for an entry that went while the index answered. */
  #read(namespace: NamespaceKeys, results: readonly Reply[]): (Neighbour | undefined)[] {
    return Array.from({ length: (results.length - 1) / 2 }, (_, index) => {
      const key = textOf(results[2 * index + 1]) ?? "";
      const pairs = results[2 * index + 2];
      const fields = new Map<string, Reply>();
      const list = Array.isArray(pairs) ? (pairs as readonly Reply[]) : [];
      for (let at = 0; at + 1 < list.length; at += 2) fields.set(String(list[at]), list[at + 1] ?? null);
      const [record, version] = [bytesOf(fields.get("rec")), textOf(fields.get("version"))];
      if (record === undefined || version === undefined) return undefined;
      return {
        entry: this.#entry(namespace, key, { record, version }),
        similarity: clampSimilarity(1 - numberOf(fields.get("distance"))),
      };
    });
  }

  #entry(
    namespace: NamespaceKeys,
    key: string,
    { record, version }: { readonly record: Buffer; readonly version: string },
  ): CacheEntry {
    const known = this.#known.get(key);
    if (known?.version === version) return known.entry;
    const id = key.slice(namespace.cacheEntries.length);
    const entry = unpackRecord<CacheEntry>(record, `cache entry ${id}`);
    this.#known.keep(key, { version, entry });
    return entry;
  }
}
