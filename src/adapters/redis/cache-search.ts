import { LRUCache } from "lru-cache";
import type { CacheEntry } from "../../domain/cache/entry.ts";
import type { Neighbour } from "../../domain/cache/matching.ts";
import { RecollectError } from "../../domain/errors.ts";
import { planKnn } from "../../domain/memory/knn-plan.ts";
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
import {
  type IndexNames,
  indexIsMade,
  indexNames,
  isMissingIndex,
  type VectorIndexOptions,
  vectorField,
} from "./schema.ts";
import type { VectorModel } from "./vector-model.ts";

/** A graph that keeps less in sight misses near entries: of the nearest three of 3,000, one in seven with 3. */
const MIN_EF = 64;

/** What an index answers at most (MAXSEARCHRESULTS of RediSearch). */
const MAX_RESULTS = 10_000;

/** Answer scopes whose size is remembered, and how long that is good enough for a plan. */
const MAX_SIZES = 10_000;
const SIZE_MS = 10_000;

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
  /** An index was asked and is not there. */
  readonly missing: (scope: Scope) => void;
}

/** The nearest entries of an answer scope, by one pipeline. */
export class CacheSearch {
  readonly #namespaces: Namespaces;
  readonly #known: KnownEntries;
  readonly #options: CacheSearchOptions;
  /** Entries of an answer scope, as the last search in it has found them. */
  readonly #sizes = new LRUCache<string, { readonly entries: number; readonly seen: number }>({
    max: MAX_SIZES,
  });

  constructor(namespaces: Namespaces, known: KnownEntries, options: CacheSearchOptions) {
    this.#namespaces = namespaces;
    this.#known = known;
    this.#options = options;
  }

  async nearest(scope: Scope, query: NearestQuery, now: number): Promise<Neighbour[]> {
    const { model, sweep } = this.#options;
    let count = Math.min(query.limit, MAX_RESULTS);
    for (;;) {
      model.check(query.model);
      if (model.identity === undefined) return [];
      const { generation } = model;
      const found = await this.#ask(scope, query, { count, now });
      if (found === "MODEL") {
        if (await model.hasChangedSince(generation)) continue;
        return [];
      }
      const live = found.flatMap((one) => (one !== undefined && one.entry.expireTime > now ? [one] : []));
      const enough = live.length >= query.limit || found.length < count || count === MAX_RESULTS;
      if (enough) return live.slice(0, query.limit);
      // What has ended stands in the way of what has not.
      await sweep(scope, now);
      count = Math.min(2 * count, MAX_RESULTS);
    }
  }

  /** One round trip. MODEL: it is another than was asked for. */
  async #ask(
    scope: Scope,
    query: NearestQuery,
    { count, now }: { readonly count: number; readonly now: number },
  ): Promise<(Neighbour | undefined)[] | "MODEL"> {
    const { model } = this.#options;
    const { generation } = model;
    let namespace: NamespaceKeys | undefined;
    let token = "";
    let replies: Reply[] | undefined;
    try {
      replies = await this.#namespaces.pipeline(scope, (keys) => {
        namespace = keys;
        token = scopeToken(keys.number, query.fingerprint);
        const seen = this.#sizes.get(token)?.seen;
        return [
          ["HGET", keys.partition.meta, "generation"],
          this.#search(keys, token, query.vector, { count, generation }),
          // A command costs this process about what a tenth of the search does.
          ...(seen === undefined || Math.abs(now - seen) > SIZE_MS
            ? [["HGET", keys.cacheSizes, token] as const]
            : []),
        ];
      });
    } catch (error) {
      if (isMissingIndex(error)) {
        this.#options.missing(scope);
        throw indexIsMade();
      }
      // The index may have lost the vectors of the model that was current a moment ago.
      if (error instanceof RecollectError || !(await model.hasChangedSince(generation))) throw error;
      return "MODEL";
    }
    if (replies === undefined || namespace === undefined) return [];
    const [current, results, size] = replies;
    if (numberOf(current) !== generation) return "MODEL";
    if (size !== undefined) this.#sizes.set(token, { entries: numberOf(size), seen: now });
    return this.#read(namespace, listOf(results));
  }

  #search(
    keys: NamespaceKeys,
    token: string,
    vector: Float32Array,
    { count, generation }: { readonly count: number; readonly generation: number },
  ): Command {
    const { indexes } = this.#options;
    const field = vectorField(generation);
    const bytes = vectorToBytes(vector);
    return [
      "FT.SEARCH",
      indexNames(indexes, this.#namespaces.keys, keys.partition).cache,
      `(@scope:{$scope})=>[KNN $count @${field} $vector ${this.#plan(token, count)} AS distance]`,
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
  #plan(token: string, limit: number): string {
    const { algorithm, hnsw } = this.#options.vectors;
    const eligible = this.#sizes.get(token)?.entries;
    if (eligible === undefined) return "";
    const plan = planKnn({ algorithm, eligible, limit, efRuntime: Math.max(MIN_EF, hnsw.efRuntime) });
    return plan.policy === "ADHOC_BF"
      ? "HYBRID_POLICY ADHOC_BF"
      : `HYBRID_POLICY BATCHES EF_RUNTIME ${plan.ef}`;
  }

  /** `{total, key, {field, value, ...}, ...}`; undefined for an entry that went while the index answered. */
  #read(namespace: NamespaceKeys, results: readonly Reply[]): (Neighbour | undefined)[] {
    return Array.from({ length: (results.length - 1) / 2 }, (_, index) => {
      const fields = results[2 * index + 2];
      const field = (name: string): Reply | undefined => fieldOf(fields, name);
      const [record, version] = [bytesOf(field("rec")), textOf(field("version"))];
      if (record === undefined || version === undefined) return undefined;
      const key = textOf(results[2 * index + 1]) ?? "";
      return {
        entry: this.#entry(namespace, key, { record, version }),
        similarity: clampSimilarity(1 - numberOf(field("distance"))),
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

/** Of a list of names and values in turn. */
function fieldOf(fields: Reply | undefined, name: string): Reply | undefined {
  if (!Array.isArray(fields)) return undefined;
  const list = fields as readonly Reply[];
  for (let at = 0; at + 1 < list.length; at += 2) if (String(list[at]) === name) return list[at + 1];
  return undefined;
}
