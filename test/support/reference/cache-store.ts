import type { NamespaceKey } from "../../../src/domain/access/tenancy.ts";
import { type CacheEntry, entryBytes } from "../../../src/domain/cache/entry.ts";
import type { Neighbour } from "../../../src/domain/cache/matching.ts";
import {
  cachePolicyEtag,
  NO_CACHE_POLICY,
  type StoredCachePolicy,
} from "../../../src/domain/cache/policy.ts";
import { clampSimilarity, dot } from "../../../src/domain/embedding/vector.ts";
import { cacheEntryNotFound, cachePolicyChanged, RecollectError } from "../../../src/domain/errors.ts";
import { withinBytes } from "../../../src/domain/page-token.ts";
import type { CacheStore, NearestQuery } from "../../../src/ports/cache/cache-store.ts";
import type { CachePolicyStore } from "../../../src/ports/cache/policy-store.ts";
import {
  byTime,
  idempotently,
  type ReferenceEntry,
  type Universe,
  worldKeyOf,
  worldOf,
  writtenDown,
} from "./world.ts";

interface Stored {
  readonly entry: CacheEntry;
  readonly replaced: boolean;
  readonly evicted: number;
}

/** The reference implementation of CacheStore, as simple as possible; evicts the least recently used entry first. */
export function referenceCacheStore(universe: Universe): CacheStore {
  const live = (scope: NamespaceKey, now: number): ReferenceEntry[] =>
    [...(universe.worlds.get(worldKeyOf(scope))?.entries.values() ?? [])].filter(
      ({ entry }) => entry.expireTime > now,
    );
  const find = (scope: NamespaceKey, id: string, now: number): CacheEntry | undefined =>
    live(scope, now).find(({ entry }) => entry.id === id)?.entry;
  const existing = (scope: NamespaceKey, id: string, now: number): CacheEntry => {
    const entry = find(scope, id, now);
    if (entry === undefined) throw cacheEntryNotFound(scope.namespace, id);
    return entry;
  };

  const makeRoom = (scope: NamespaceKey, keptId: string, maxEntries: number, now: number): number => {
    const { entries } = worldOf(universe, scope);
    const others = [...entries.values()].filter(({ entry }) => entry.id !== keptId);
    const expired = others.filter(({ entry }) => entry.expireTime <= now);
    const servable = others
      .filter(({ entry }) => entry.expireTime > now)
      .sort((a, b) => a.lastUseTime - b.lastUseTime);
    const evicted = servable.slice(0, Math.max(0, servable.length + 1 - maxEntries));
    const swept = expired.slice(0, Math.max(0, entries.size - maxEntries));
    for (const { entry } of [...swept, ...evicted]) entries.delete(entry.id);
    return evicted.length;
  };

  const nearest = (
    scope: NamespaceKey,
    { fingerprint, vector, limit }: NearestQuery,
    now: number,
  ): Neighbour[] =>
    live(scope, now)
      .flatMap((one) =>
        one.vector === undefined || one.entry.fingerprint !== fingerprint
          ? []
          : [{ entry: one.entry, similarity: clampSimilarity(dot(vector, one.vector)) }],
      )
      .sort((a, b) => b.similarity - a.similarity)
      .slice(0, limit);

  return {
    lookup: async (namespace, query, now) => ({
      exact: query.id === undefined ? undefined : find(namespace, query.id, now),
      nearest: query.nearest === undefined ? [] : nearest(namespace, query.nearest, now),
      policy: universe.worlds.get(worldKeyOf(namespace))?.policy ?? NO_CACHE_POLICY,
    }),

    list: async (scope, { model, tagsAny, after, limit, maxBytes, now }) => {
      const found = live(scope, now)
        .filter(({ entry }) => model === undefined || entry.model === model)
        .filter(({ entry }) => tagsAny === undefined || tagsAny.some((tag) => entry.tags.includes(tag)))
        .filter(({ entry }) => after === undefined || byTime(after, entry) < 0)
        .sort((a, b) => byTime(a.entry, b.entry));
      const page = withinBytes(
        found.slice(0, limit),
        ({ entry, vector }) => entryBytes(entry, vector?.length ?? 0),
        maxBytes,
      );
      return { entries: page.map(({ entry }) => entry), more: found.length > page.length };
    },

    put: async (scope, entry, options) => {
      const { now, maxEntries, vector } = options;
      const { entries, counters } = worldOf(universe, scope);
      return idempotently<Stored, { readonly id: string; readonly replaced: boolean }>(
        universe,
        worldKeyOf(scope),
        options,
        () => {
          const replaced = find(scope, entry.id, now) !== undefined;
          const lastUseTime = Math.max(now, entries.get(entry.id)?.lastUseTime ?? now);
          entries.set(entry.id, { entry: writtenDown(entry), vector, lastUseTime });
          const evicted = makeRoom(scope, entry.id, maxEntries, now);
          counters.stores += 1;
          counters.evictions += evicted;
          return { result: { entry, replaced, evicted }, outcome: { id: entry.id, replaced } };
        },
        ({ id, replaced }) => ({ entry: existing(scope, id, now), replaced, evicted: 0 }),
      );
    },

    delete: async (scope, id, options) =>
      idempotently(
        universe,
        worldKeyOf(scope),
        options,
        () => {
          const { etag } = existing(scope, id, options.now);
          if (options.etag !== undefined && options.etag !== etag) {
            throw new RecollectError("ETAG_MISMATCH", `cache entry ${id} has changed`);
          }
          worldOf(universe, scope).entries.delete(id);
          return { result: undefined, outcome: undefined };
        },
        () => undefined,
      ),

    countLookup: (scope, lookup, now) => {
      const world = universe.worlds.get(worldKeyOf(scope));
      if (world === undefined) return;
      if (lookup.kind === "MISS") world.counters.misses += 1;
      else {
        world.counters[lookup.kind === "EXACT" ? "exactHits" : "semanticHits"] += 1;
        const current = world.entries.get(lookup.id);
        if (current !== undefined) current.lastUseTime = Math.max(now, current.lastUseTime);
      }
    },

    stats: async (scope, now) => {
      const entries = live(scope, now);
      const counters = universe.worlds.get(worldKeyOf(scope))?.counters;
      return {
        entryCount: entries.length,
        byteCount: entries.reduce(
          (sum, { entry, vector }) => sum + entryBytes(entry, vector?.length ?? 0),
          0,
        ),
        exactHits: counters?.exactHits ?? 0,
        semanticHits: counters?.semanticHits ?? 0,
        misses: counters?.misses ?? 0,
        stores: counters?.stores ?? 0,
        evictions: counters?.evictions ?? 0,
      };
    },
  };
}

/** The reference implementation of CachePolicyStore. */
export function referenceCachePolicyStore(universe: Universe): CachePolicyStore {
  const get = (scope: NamespaceKey): StoredCachePolicy =>
    universe.worlds.get(worldKeyOf(scope))?.policy ?? NO_CACHE_POLICY;
  return {
    get: async (scope) => get(scope),
    replace: async (scope, expectedEtag, policy, options) =>
      idempotently<StoredCachePolicy, undefined>(
        universe,
        worldKeyOf(scope),
        options,
        () => {
          const etag = cachePolicyEtag(get(scope));
          if (etag !== expectedEtag) throw cachePolicyChanged(etag);
          worldOf(universe, scope).policy = writtenDown(policy);
          return { result: policy, outcome: undefined };
        },
        () => get(scope),
      ),
  };
}
