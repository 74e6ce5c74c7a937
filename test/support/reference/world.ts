import type { NamespaceKey } from "../../../src/domain/access/tenancy.ts";
import type { CacheEntry } from "../../../src/domain/cache/entry.ts";
import { RecollectError } from "../../../src/domain/errors.ts";
import type { AccessStatistics, Memory } from "../../../src/domain/memory/memory.ts";
import type { IdempotentRequest } from "../../../src/ports/idempotency.ts";

/** A memory as the reference keeps it: with what a search needs, worked out anew each time. */
export interface HeldMemory {
  memory: Memory;
  readonly duplicateKey: string;
  readonly terms: readonly string[];
  readonly vector: Float32Array | undefined;
  access: AccessStatistics | undefined;
}

export interface HeldEntry {
  readonly entry: CacheEntry;
  readonly vector: Float32Array | undefined;
  lastUseTime: number;
}

/** One namespace. Nothing is swept: what has ended is passed over by every read. */
export interface World {
  /** In order of writing. */
  memories: HeldMemory[];
  readonly sessions: Map<string, number>;
  readonly entries: Map<string, HeldEntry>;
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
  /** By place, then by key. A namespace's go with it. */
  readonly requests: Map<string, Map<string, RequestRecord>>;
}

export function emptyUniverse(): Universe {
  return { worlds: new Map(), requests: new Map() };
}

/** The one key of a scope; neither name can be mistaken for a part of the other. */
export function placeOf({ tenant, namespace }: NamespaceKey): string {
  return JSON.stringify([tenant, namespace]);
}

/** The place of records that outlive the namespace they are about, of which no namespace has the name. */
export function recordsBeside({ tenant, namespace }: NamespaceKey): string {
  return JSON.stringify([tenant, namespace, "records"]);
}

export function scopeAt(place: string): NamespaceKey {
  const [tenant = "", namespace = ""] = JSON.parse(place) as string[];
  return { tenant, namespace };
}

export function worldOf(universe: Universe, scope: NamespaceKey): World {
  const place = placeOf(scope);
  const known = universe.worlds.get(place);
  if (known !== undefined) return known;
  const world: World = {
    memories: [],
    sessions: new Map(),
    entries: new Map(),
    counters: { exactHits: 0, semanticHits: 0, misses: 0, stores: 0, evictions: 0 },
  };
  universe.worlds.set(place, world);
  return world;
}

/**
 * Carries a request out once: a repeat gets what `again` makes of the recorded outcome. What `once` throws is not
 * recorded.
 */
export function idempotently<T, Outcome>(
  universe: Universe,
  place: string,
  { now, request }: { readonly now: number; readonly request?: IdempotentRequest },
  once: () => { readonly result: T; readonly outcome: Outcome },
  again: (outcome: Outcome) => T,
): T {
  const record = request === undefined ? undefined : replay(universe, place, { now, request });
  if (record !== undefined) return again(record.outcome as Outcome);
  const { result, outcome } = once();
  keepRecord(universe, place, request, outcome);
  return result;
}

/** Keeps what became of a request, if it may come again. */
export function keepRecord(
  universe: Universe,
  place: string,
  request: IdempotentRequest | undefined,
  outcome: unknown,
): void {
  if (request === undefined) return;
  const { key, bodyHash, expireTime } = request;
  const records = universe.requests.get(place) ?? new Map<string, RequestRecord>();
  universe.requests.set(place, records.set(key, { bodyHash, expireTime, outcome }));
}

/** The record of a request that was carried out before. */
export function replay(
  universe: Universe,
  place: string,
  { now, request }: { readonly now: number; readonly request: IdempotentRequest },
): RequestRecord | undefined {
  const record = universe.requests.get(place)?.get(request.key);
  if (record === undefined || record.expireTime <= now) return undefined;
  if (record.bodyHash !== request.bodyHash) {
    throw new RecollectError("REQUEST_ID_REUSED", "this request_id was used for another request");
  }
  return record;
}

/** What comes back of a value that was written down: -0 is 0, absent fields are gone, nothing is shared. */
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
