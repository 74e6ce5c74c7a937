import type { NamespaceKey } from "../../../src/domain/access/tenancy.ts";
import type { CacheEntry } from "../../../src/domain/cache/entry.ts";
import type { EntryUsage, ScoreOrder } from "../../../src/domain/cache/eviction.ts";
import type { InvalidationFilter } from "../../../src/domain/cache/invalidation.ts";
import { NO_CACHE_POLICY, type StoredCachePolicy } from "../../../src/domain/cache/policy.ts";
import type { CompactionGroup } from "../../../src/domain/compaction/group.ts";
import type { CompactionRun } from "../../../src/domain/compaction/run.ts";
import type { NamespacePolicy } from "../../../src/domain/compaction/stored-policy.ts";
import { RecollectError } from "../../../src/domain/errors.ts";
import {
  type ChangeKind,
  FEED_LIMITS,
  type FeedLimits,
  type FeedRow,
  firstKept,
} from "../../../src/domain/memory/changes.ts";
import type { AccessStatistics, Memory } from "../../../src/domain/memory/memory.ts";
import type { MemoryRevision } from "../../../src/domain/memory/revision.ts";
import type { IdempotentRequest } from "../../../src/ports/idempotency.ts";

/** A stored memory of the reference, with the fields of a search. */
export interface ReferenceMemory {
  memory: Memory;
  readonly duplicateKey: string;
  readonly textKey: string;
  readonly terms: readonly string[];
  readonly vector: Float32Array | undefined;
  access: AccessStatistics | undefined;
  /** All earlier versions, oldest first. */
  revisions: readonly MemoryRevision[];
}

export interface ReferenceEntry {
  readonly entry: CacheEntry;
  readonly vector: Float32Array | undefined;
  usage: EntryUsage;
  /** Under which rule it was last put or used. */
  order: ScoreOrder;
  score: number;
  /** Of the namespace when it was put. */
  readonly generation: number;
}

/** A run of a compaction, with its lease and its groups by number. */
export interface ReferenceRun {
  run: CompactionRun;
  version: number;
  fence: number;
  owner: string;
  until: number;
  readonly groups: Map<number, CompactionGroup>;
}

/** One namespace. Nothing is swept: every read skips expired and invalidated data. */
export interface World {
  /** In order of writing. */
  memories: ReferenceMemory[];
  readonly incarnation: string;
  /** The change feed. */
  feed: FeedRow[];
  readonly sessions: Map<string, number>;
  readonly entries: Map<string, ReferenceEntry>;
  /** Until when an entry is being refreshed; a put makes another entry. */
  readonly claims: WeakMap<ReferenceEntry, number>;
  policy: StoredCachePolicy;
  readonly compaction: {
    readonly runs: Map<string, ReferenceRun>;
    policy: NamespacePolicy | undefined;
    /** By user: the first change and the number of changes since the last `takeScope`. */
    readonly changes: Map<string, { readonly since: number; readonly changes: number }>;
  };
  /** Uses of ids that were refused or evicted, the latest last. */
  readonly remembered: Map<string, number>;
  /** Of the last put. */
  order: ScoreOrder;
  clock: number;
  /** In order. */
  readonly invalidations: { readonly filter: InvalidationFilter; readonly generation: number }[];
  /** Counters by name; see detailsOf. */
  readonly details: Map<string, number>;
  readonly counters: {
    exactHits: number;
    semanticHits: number;
    misses: number;
    stores: number;
    evictions: number;
  };
}

export interface RequestRecord {
  readonly bodyHash: string;
  readonly expireTime: number;
  readonly outcome: unknown;
}

/** Everything that the reference knows: plain maps, by tenant and name. */
export interface Universe {
  readonly worlds: Map<string, World>;
  /** By world key, then by request key. Deleted with their namespace. */
  readonly requests: Map<string, Map<string, RequestRecord>>;
  readonly feedLimits: FeedLimits;
  /** What ends the waits for changes. */
  readonly waits: Set<() => void>;
  /** How many worlds have been. */
  count: number;
}

export function emptyUniverse(feedLimits: FeedLimits = FEED_LIMITS): Universe {
  return { worlds: new Map(), requests: new Map(), feedLimits, waits: new Set(), count: 0 };
}

/** Of random operations, some of which wait for days: stores may trim at other times than the reference. */
export const LONG_FEED: FeedLimits = { maxChanges: 100_000, retentionMs: 3650 * 24 * 3_600_000 };

/** Appends a change to a feed. */
export function appendChange(
  universe: Universe,
  scope: NamespaceKey,
  { kind, memoryId, now }: { readonly kind: ChangeKind; readonly memoryId: string; readonly now: number },
): void {
  const world = worldOf(universe, scope);
  if (world.feed.length === 0) world.feed.push({ sequence: 0, time: now });
  const last = (world.feed.at(-1)?.sequence ?? 0) + 1;
  world.feed.push({ sequence: last, time: now, kind, memoryId });
  const first = firstKept(world.feed, last, universe.feedLimits, now);
  world.feed = world.feed.filter(({ sequence }) => sequence >= first);
  endWaits(universe);
}

export function endWaits({ waits }: Universe): void {
  for (const end of [...waits]) end();
}

/** Counts a write of a memory, for CompactionStore.changedScopes. */
export function countChange({ compaction: { changes } }: World, userId: string, now: number): void {
  const before = changes.get(userId) ?? { since: now, changes: 0 };
  changes.set(userId, { ...before, changes: before.changes + 1 });
}

/** The one key of a scope; neither name can be mistaken for a part of the other. */
export function worldKeyOf({ tenant, namespace }: NamespaceKey): string {
  return JSON.stringify([tenant, namespace]);
}

/** The world key of records that outlive their namespace; no namespace has this name. */
export function recordsBeside({ tenant, namespace }: NamespaceKey): string {
  return JSON.stringify([tenant, namespace, "records"]);
}

export function namespaceAt(worldKey: string): NamespaceKey {
  const [tenant = "", namespace = ""] = JSON.parse(worldKey) as string[];
  return { tenant, namespace };
}

export function worldOf(universe: Universe, scope: NamespaceKey): World {
  const worldKey = worldKeyOf(scope);
  const existing = universe.worlds.get(worldKey);
  if (existing !== undefined) return existing;
  universe.count += 1;
  const world: World = {
    memories: [],
    incarnation: String(universe.count),
    feed: [],
    sessions: new Map(),
    entries: new Map(),
    claims: new WeakMap(),
    policy: NO_CACHE_POLICY,
    compaction: { runs: new Map(), policy: undefined, changes: new Map() },
    remembered: new Map(),
    details: new Map(),
    order: "lru",
    clock: 0,
    invalidations: [],
    counters: { exactHits: 0, semanticHits: 0, misses: 0, stores: 0, evictions: 0 },
  };
  universe.worlds.set(worldKey, world);
  return world;
}

/**
 * Executes a request once: a retry gets the result of `again` for the recorded outcome. What `once` throws is not
 * recorded.
 */
export function idempotently<T, Outcome>(
  universe: Universe,
  worldKey: string,
  { now, request }: { readonly now: number; readonly request?: IdempotentRequest },
  once: () => { readonly result: T; readonly outcome: Outcome },
  again: (outcome: Outcome) => T,
): T {
  const record = request === undefined ? undefined : replay(universe, worldKey, { now, request });
  if (record !== undefined) return again(record.outcome as Outcome);
  const { result, outcome } = once();
  storeRecord(universe, worldKey, request, outcome);
  return result;
}

/** Records the outcome of a request with a request_id. */
export function storeRecord(
  universe: Universe,
  worldKey: string,
  request: IdempotentRequest | undefined,
  outcome: unknown,
): void {
  if (request === undefined) return;
  const { key, bodyHash, expireTime } = request;
  const records = universe.requests.get(worldKey) ?? new Map<string, RequestRecord>();
  universe.requests.set(worldKey, records.set(key, { bodyHash, expireTime, outcome }));
}

/** The record of a request that was carried out before. */
export function replay(
  universe: Universe,
  worldKey: string,
  { now, request }: { readonly now: number; readonly request: IdempotentRequest },
): RequestRecord | undefined {
  const record = universe.requests.get(worldKey)?.get(request.key);
  if (record === undefined || record.expireTime <= now) return undefined;
  if (record.bodyHash !== request.bodyHash) {
    throw new RecollectError("REQUEST_ID_REUSED", "this request_id was used for another request");
  }
  return record;
}

/** A value after a JSON round trip: -0 is 0, undefined fields are missing, nothing is shared. */
export function writtenDown<T>(value: T): T {
  return JSON.parse(JSON.stringify(value)) as T;
}

/** Newest first by (createTime, id). */
export function byTime(
  a: { readonly createTime: number; readonly id: string },
  b: { readonly createTime: number; readonly id: string },
): number {
  return b.createTime - a.createTime || (a.id < b.id ? 1 : a.id > b.id ? -1 : 0);
}
