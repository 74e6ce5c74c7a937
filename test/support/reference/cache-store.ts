import type { NamespaceKey } from "../../../src/domain/access/tenancy.ts";
import { type CacheEntry, entryBytes } from "../../../src/domain/cache/entry.ts";
import { applyReport } from "../../../src/domain/cache/feedback.ts";
import {
  cacheInvalidated,
  matchesInvalidation,
  nextGeneration,
} from "../../../src/domain/cache/invalidation.ts";
import type { Neighbour } from "../../../src/domain/cache/matching.ts";
import { clampSimilarity, dot } from "../../../src/domain/embedding/vector.ts";
import { cacheEntryNotFound, RecollectError } from "../../../src/domain/errors.ts";
import { withinBytes } from "../../../src/domain/page-token.ts";
import type { CacheStore, NearestQuery } from "../../../src/ports/cache/cache-store.ts";
import {
  byTime,
  idempotently,
  type ReferenceEntry,
  recordsBeside,
  type Universe,
  type World,
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
  /** The generation of the last invalidation that matches; 0: none. */
  const lastMatch = (world: World, entry: CacheEntry): number =>
    world.invalidations.findLast(({ filter }) => matchesInvalidation(entry, filter))?.generation ?? 0;
  const isLive = (world: World, { entry, generation }: ReferenceEntry, now: number): boolean =>
    entry.expireTime > now && lastMatch(world, entry) <= generation;
  const generationOf = (world: World | undefined): number => world?.invalidations.at(-1)?.generation ?? 0;
  const live = (scope: NamespaceKey, now: number): ReferenceEntry[] => {
    const world = universe.worlds.get(worldKeyOf(scope));
    return world === undefined ? [] : [...world.entries.values()].filter((one) => isLive(world, one, now));
  };
  const find = (scope: NamespaceKey, id: string, now: number): CacheEntry | undefined =>
    live(scope, now).find(({ entry }) => entry.id === id)?.entry;
  const existing = (scope: NamespaceKey, id: string, now: number): CacheEntry => {
    const entry = find(scope, id, now);
    if (entry === undefined) throw cacheEntryNotFound(scope.namespace, id);
    return entry;
  };

  const makeRoom = (scope: NamespaceKey, keptId: string, maxEntries: number, now: number): number => {
    const world = worldOf(universe, scope);
    const { entries } = world;
    const others = [...entries.values()].filter(({ entry }) => entry.id !== keptId);
    const dead = others.filter((one) => !isLive(world, one, now));
    const servable = others
      .filter((one) => isLive(world, one, now))
      .sort((a, b) => a.lastUseTime - b.lastUseTime);
    const evicted = servable.slice(0, Math.max(0, servable.length + 1 - maxEntries));
    const swept = dead.slice(0, Math.max(0, entries.size - maxEntries));
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
      generation: generationOf(universe.worlds.get(worldKeyOf(namespace))),
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
      const { now, maxEntries, vector, decidedAt } = options;
      const world = universe.worlds.get(worldKeyOf(scope));
      return idempotently<Stored, { readonly id: string; readonly replaced: boolean }>(
        universe,
        worldKeyOf(scope),
        options,
        () => {
          if (world !== undefined && decidedAt !== undefined && lastMatch(world, entry) > decidedAt) {
            throw cacheInvalidated(scope.namespace);
          }
          const { entries, counters, ...created } = worldOf(universe, scope);
          const generation = generationOf({ entries, counters, ...created });
          const replaced = find(scope, entry.id, now) !== undefined;
          const lastUseTime = Math.max(now, entries.get(entry.id)?.lastUseTime ?? now);
          entries.set(entry.id, { entry: writtenDown(entry), vector, lastUseTime, generation });
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

    invalidate: async (scope, filter, options) =>
      idempotently(
        universe,
        recordsBeside(scope),
        options,
        () => {
          const world = universe.worlds.get(worldKeyOf(scope));
          const generation = nextGeneration(generationOf(world), options.now);
          world?.invalidations.push({ filter, generation });
          return { result: undefined, outcome: undefined };
        },
        () => undefined,
      ),

    report: async (scope, report, options) => {
      const { now } = options;
      const world = universe.worlds.get(worldKeyOf(scope));
      if (world === undefined) return { applied: false, quarantined: false };
      return idempotently<{ readonly applied: boolean; readonly quarantined: boolean }, boolean>(
        universe,
        worldKeyOf(scope),
        options,
        () => {
          const stored = live(scope, now).find(({ entry }) => entry.id === report.entryId);
          if (stored === undefined || stored.entry.createTime !== report.createTime) {
            return { result: { applied: false, quarantined: false }, outcome: false };
          }
          const entry = applyReport(stored.entry, report, now);
          const isQuarantined = entry.feedback?.quarantined === true;
          world.entries.set(entry.id, {
            ...stored,
            entry,
            vector: isQuarantined ? undefined : stored.vector,
          });
          const quarantined = isQuarantined && stored.entry.feedback?.quarantined !== true;
          return { result: { applied: true, quarantined }, outcome: true };
        },
        (applied) => ({ applied, quarantined: false }),
      );
    },

    countMatching: async (scope, filter, now) =>
      live(scope, now).filter(({ entry }) => matchesInvalidation(entry, filter)).length,

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
