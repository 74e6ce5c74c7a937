import type { NamespaceKey } from "../../../src/domain/access/tenancy.ts";
import { type CacheEntry, entryBytes } from "../../../src/domain/cache/entry.ts";
import {
  answerCost,
  type EntryUsage,
  excessEntries,
  isAdmitted,
  keepScore,
  lostAgainst,
  rememberedIds,
  ruleOf,
  SCORE_ORDERS,
  type ScoredEntry,
  type ScoreRule,
  scoreRule,
  usedAgain,
} from "../../../src/domain/cache/eviction.ts";
import { applyReport } from "../../../src/domain/cache/feedback.ts";
import {
  cacheInvalidated,
  matchesInvalidation,
  nextGeneration,
} from "../../../src/domain/cache/invalidation.ts";
import type { Neighbour } from "../../../src/domain/cache/matching.ts";
import {
  cachePolicyEtag,
  NO_CACHE_POLICY,
  type StoredCachePolicy,
} from "../../../src/domain/cache/policy.ts";
import { detailsFrom, detailsOf } from "../../../src/domain/cache/statistics.ts";
import { clampSimilarity, dot } from "../../../src/domain/embedding/vector.ts";
import { cacheEntryNotFound, cachePolicyChanged, RecollectError } from "../../../src/domain/errors.ts";
import { withinBytes } from "../../../src/domain/page-token.ts";
import type {
  CacheStore,
  NearestQuery,
  PutCacheEntryOptions,
  PutCacheEntryResult,
} from "../../../src/ports/cache/cache-store.ts";
import type { CachePolicyStore } from "../../../src/ports/cache/policy-store.ts";
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

type PutRecord = Omit<PutCacheEntryResult, "entry"> & { readonly id: string };

/** The reference implementation of CacheStore, as simple as possible. */
export function referenceCacheStore(universe: Universe): CacheStore {
  const addDetail = (world: World, name: string, added: number): void =>
    void world.details.set(name, (world.details.get(name) ?? 0) + added);
  const countDead = (world: World, { entry }: ReferenceEntry, now: number): void =>
    addDetail(world, entry.expireTime <= now ? "removed:expired" : "removed:invalidated", 1);
  /** With the entries that a store would have removed by now. */
  const detailsAt = (world: World | undefined, now: number): Map<string, number> => {
    const details = new Map(world?.details);
    for (const one of world?.entries.values() ?? []) {
      if (world === undefined || isLive(world, one, now)) continue;
      const name = one.entry.expireTime <= now ? "removed:expired" : "removed:invalidated";
      details.set(name, (details.get(name) ?? 0) + 1);
    }
    return details;
  };

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

  const sizeOf = ({ entry, vector }: Pick<ReferenceEntry, "entry" | "vector">): number =>
    entryBytes(entry, vector?.length ?? 0);
  const bytesOf = (world: World): number =>
    [...world.entries.values()].reduce((sum, one) => sum + sizeOf(one), 0);
  const scored = (one: Pick<ReferenceEntry, "entry" | "vector" | "usage">): ScoredEntry => ({
    ...one.usage,
    createTime: one.entry.createTime,
    expireTime: one.entry.expireTime,
    bytes: sizeOf(one),
  });
  const rescore = (world: World, one: ReferenceEntry, usage: EntryUsage, rule: ScoreRule): void => {
    one.usage = usage;
    one.order = rule.order;
    one.score = keepScore(rule, scored(one), world.clock);
  };
  /** Entries of other rules first, then the lowest score, then the earliest last use. */
  const evictionOrder = (world: World, rule: ScoreRule): ReferenceEntry[] => {
    const rank = ({ order }: ReferenceEntry): number =>
      order === rule.order ? SCORE_ORDERS.length : SCORE_ORDERS.indexOf(order);
    return [...world.entries.values()].sort(
      (a, b) => rank(a) - rank(b) || a.score - b.score || a.usage.lastUseTime - b.usage.lastUseTime,
    );
  };

  /** What is beyond the bounds with `added` more entries of these bytes is evicted. */
  const evict = (
    world: World,
    rule: ScoreRule,
    { maxEntries, maxBytes = Infinity }: PutCacheEntryOptions,
    added: { readonly entries: number; readonly bytes: number },
  ): number => {
    let evicted = 0;
    const bytes = (): number =>
      [...world.entries.values()].reduce((sum, one) => sum + sizeOf(one), added.bytes);
    while (world.entries.size + added.entries > maxEntries || bytes() > maxBytes) {
      const [lowest] = evictionOrder(world, rule);
      if (lowest === undefined) break;
      world.entries.delete(lowest.entry.id);
      if (ruleOf(lowest.order).worth !== "none") world.remembered.set(lowest.entry.id, lowest.usage.uses);
      if (lowest.order === rule.order && rule.worth !== "none")
        world.clock = Math.max(world.clock, lowest.score);
      evicted += 1;
    }
    return evicted;
  };

  const isRefused = (
    world: World,
    rule: ScoreRule,
    candidate: ScoredEntry,
    { maxEntries, maxBytes = Infinity }: PutCacheEntryOptions,
  ): boolean => {
    const [lowest] = evictionOrder(world, rule);
    const bytes = [...world.entries.values()].reduce((sum, one) => sum + sizeOf(one), candidate.bytes);
    if (world.entries.size < maxEntries && bytes <= maxBytes) return false;
    if (lowest === undefined || lowest.order !== rule.order) return false;
    if (isAdmitted(rule, candidate, scored(lowest))) return false;
    world.clock = Math.max(world.clock, lowest.score);
    rescore(world, lowest, lostAgainst(lowest.usage), rule);
    return true;
  };

  /** Expired and invalidated entries go first, as few as may; what they were used is remembered. */
  const dropExpired = (world: World, excess: number, now: number): void => {
    const dead = [...world.entries.values()].filter((one) => !isLive(world, one, now));
    for (const one of dead.slice(0, excess)) {
      countDead(world, one, now);
      const { entry, order, usage } = one;
      world.entries.delete(entry.id);
      if (ruleOf(order).worth !== "none") world.remembered.set(entry.id, usage.uses);
    }
  };

  const putOnce = (
    world: World,
    entry: CacheEntry,
    options: PutCacheEntryOptions,
  ): Omit<PutCacheEntryResult, "entry"> => {
    const { now, maxEntries, maxBytes, policy = "LRU", vector } = options;
    const rule = scoreRule(policy, maxBytes !== undefined);
    const bytes = sizeOf({ entry, vector });
    if (maxBytes !== undefined && bytes > maxBytes)
      return { replaced: false, evicted: 0, refused: "TOO_LARGE" };
    world.order = rule.order;
    const old = world.entries.get(entry.id);
    const replaced = old !== undefined && isLive(world, old, now);
    // Of one that has expired or is invalidated counts what is remembered.
    const counted = replaced || (old !== undefined && ruleOf(old.order).worth !== "none") ? old : undefined;
    const uses = counted?.usage.uses ?? world.remembered.get(entry.id) ?? 0;
    const lastUseTime = replaced ? (old?.usage.lastUseTime ?? 0) : 0;
    const usage = usedAgain({ uses, lastUseTime, cost: answerCost(entry) }, 1, now);
    if (old !== undefined && !replaced) countDead(world, old, now);
    world.entries.delete(entry.id);
    const isHeavy = maxBytes !== undefined && bytesOf(world) + bytes > maxBytes;
    dropExpired(world, isHeavy ? Infinity : excessEntries(world.entries.size + 1, maxEntries), now);
    let evicted = evict(world, rule, options, { entries: 0, bytes: 0 });
    const one: ReferenceEntry = {
      ...{ entry: writtenDown(entry), vector, usage, order: rule.order, score: 0 },
      generation: generationOf(world),
    };
    const refused = !replaced && rule.worth !== "none" && isRefused(world, rule, scored(one), options);
    world.remembered.delete(entry.id);
    if (refused) world.remembered.set(entry.id, usage.uses);
    else {
      evicted += evict(world, rule, options, { entries: 1, bytes });
      rescore(world, one, usage, rule);
      world.entries.set(entry.id, one);
      world.counters.stores += 1;
    }
    world.counters.evictions += evicted;
    const kept = rememberedIds(maxEntries);
    for (const id of [...world.remembered.keys()].slice(0, Math.max(0, world.remembered.size - kept))) {
      world.remembered.delete(id);
    }
    return { replaced, evicted, ...(refused ? { refused: "NOT_ADMITTED" as const } : {}) };
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
      const world = worldOf(universe, scope);
      return idempotently<PutCacheEntryResult, PutRecord>(
        universe,
        worldKeyOf(scope),
        options,
        () => {
          const { decidedAt } = options;
          if (decidedAt !== undefined && lastMatch(world, entry) > decidedAt) {
            throw cacheInvalidated(scope.namespace);
          }
          const outcome = putOnce(world, entry, options);
          return { result: { entry, ...outcome }, outcome: { id: entry.id, ...outcome } };
        },
        ({ id, ...outcome }) => ({
          ...outcome,
          evicted: 0,
          entry: outcome.refused === undefined ? existing(scope, id, options.now) : entry,
        }),
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
          addDetail(world, `reports:${report.outcome}`, 1);
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
          if (quarantined) addDetail(world, "removed:quarantined", 1);
          return { result: { applied: true, quarantined }, outcome: true };
        },
        (applied) => ({ applied, quarantined: false }),
      );
    },

    countMatching: async (scope, filter, now) =>
      live(scope, now).filter(({ entry }) => matchesInvalidation(entry, filter)).length,

    claimRefresh: async (scope, id, { now, until }) => {
      const world = universe.worlds.get(worldKeyOf(scope));
      const current = live(scope, now).find(({ entry }) => entry.id === id);
      if (world === undefined || current === undefined) return false;
      if ((world.claims.get(current) ?? 0) > now) return false;
      world.claims.set(current, until);
      return true;
    },

    countLookup: (scope, lookup, now) => {
      const world = universe.worlds.get(worldKeyOf(scope));
      if (world === undefined) return;
      for (const [name, added] of detailsOf(lookup)) addDetail(world, name, added);
      if (lookup.kind === "MISS") world.counters.misses += 1;
      else {
        world.counters[lookup.kind === "EXACT" ? "exactHits" : "semanticHits"] += 1;
        const current = world.entries.get(lookup.id);
        if (current !== undefined)
          rescore(world, current, usedAgain(current.usage, 1, now), ruleOf(world.order));
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
        details: detailsFrom(detailsAt(universe.worlds.get(worldKeyOf(scope)), now)),
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
