import type { NamespaceKey } from "../../src/domain/access/tenancy.ts";
import type { CacheEntry } from "../../src/domain/cache/entry.ts";
import type { Neighbour } from "../../src/domain/cache/matching.ts";
import type { CacheStore, NearestQuery } from "../../src/ports/cache/cache-store.ts";

type Lookups = Pick<CacheStore, "lookup">;

/** Looks up an entry by its id alone. */
export async function findEntry(
  cache: Lookups,
  namespace: NamespaceKey,
  id: string,
  now: number,
): Promise<CacheEntry | undefined> {
  return (await cache.lookup(namespace, { id }, now)).exact;
}

/** Looks up the nearest entries alone. */
export async function findNearest(
  cache: Lookups,
  namespace: NamespaceKey,
  nearest: NearestQuery,
  now: number,
): Promise<readonly Neighbour[]> {
  return (await cache.lookup(namespace, { nearest }, now)).nearest;
}
