import { expect } from "vitest";
import type { CacheEntry } from "../../../src/domain/cache/entry.ts";
import type { CacheLookup } from "../../../src/domain/cache/lookup-counts.ts";
import type { Neighbour } from "../../../src/domain/cache/matching.ts";
import type { CacheListQuery, CacheStats, CacheStore } from "../../../src/ports/cache/cache-store.ts";
import type { IdempotentRequest } from "../../../src/ports/idempotency.ts";
import { NOW } from "../../support/builders.ts";
import { findNearest } from "../../support/cache-lookups.ts";
import { type Subject, vectorOf } from "../store-under-test.ts";

export type CacheSubject = Subject<CacheStore>;

/** More than any test stores. */
export const ALL = 1000;

/** A bound that no test reaches. */
export const BOUND = { maxEntries: ALL };

/** The outcomes of puts of a new entry and of a replacement, without evictions. */
export const NEW = { replaced: false, evicted: 0 };
export const REPLACED = { replaced: true, evicted: 0 };

/** Puts an entry into the scope of the test; default: at NOW and below the bound. */
export async function put(
  subject: CacheSubject,
  entry: CacheEntry,
  options: {
    readonly vector?: Float32Array;
    readonly maxEntries?: number;
    readonly now?: number;
    readonly request?: IdempotentRequest;
  } = {},
): Promise<{ readonly replaced: boolean; readonly evicted: number }> {
  const { replaced, evicted } = await subject.store.put(subject.scope, entry, {
    ...BOUND,
    now: NOW,
    ...options,
  });
  return { replaced, evicted };
}

/** Finds by id in the scope of the test. */
export async function find(subject: CacheSubject, id: string, now = NOW): Promise<CacheEntry | undefined> {
  const { exact, nearest } = await subject.store.lookup(subject.scope, { id }, now);
  expect(nearest).toEqual([]);
  return exact;
}

/**
 * The nearest entries of fingerprint f1 in the scope of the test, by default without limit. A combined lookup with an id
 * must return the same as two separate ones.
 */
export async function nearest(
  subject: CacheSubject,
  query: { readonly fingerprint?: string; readonly vector?: Float32Array; readonly limit?: number } = {},
  now = NOW,
): Promise<readonly Neighbour[]> {
  const { store, scope } = subject;
  const full = { fingerprint: "f1", vector: vectorOf(1), limit: ALL, ...query };
  const found = await findNearest(store, scope, full, now);
  expect(await store.lookup(scope, {}, now)).toMatchObject({ exact: undefined, nearest: [], policy: {} });
  expect((await store.lookup(scope, { nearest: full }, now)).exact).toBeUndefined();
  for (const id of ["e1", "absent"]) {
    const exact = await find(subject, id, now);
    expect(await store.lookup(scope, { id: id, nearest: full }, now)).toMatchObject({
      exact,
      nearest: found,
      policy: {},
    });
  }
  return found;
}

export async function nearestIds(...query: Parameters<typeof nearest>): Promise<string[]> {
  return (await nearest(...query)).map(({ entry }) => entry.id);
}

/** A page of the scope of the test; default: at NOW and without limit. */
export function list(
  subject: CacheSubject,
  query: Partial<CacheListQuery> = {},
): Promise<{ readonly entries: CacheEntry[]; readonly more: boolean }> {
  return subject.store.list(subject.scope, {
    limit: ALL,
    maxBytes: Number.MAX_SAFE_INTEGER,
    now: NOW,
    ...query,
  });
}

export async function listedIds(...query: Parameters<typeof list>): Promise<string[]> {
  return (await list(...query)).entries.map(({ id }) => id);
}

/** Counts a lookup in the scope of the test. */
export function count(subject: CacheSubject, lookup: CacheLookup, now = NOW): void {
  subject.store.countLookup(subject.scope, lookup, now);
}

export function stats(subject: CacheSubject, now = NOW): Promise<CacheStats> {
  return subject.store.stats(subject.scope, now);
}
