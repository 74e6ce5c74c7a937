import { type CacheEntry, entryBytes } from "../../../domain/cache/entry.ts";
import { RecordCache } from "../namespaces/record-cache.ts";

/** Bound on the cached entries, in bytes as entryBytes counts them; some 20,000 answers of ordinary length. */
const MAX_BYTES = 32 * 1024 * 1024;

/** An entry and its version in Redis, which changes with each write. */
export interface CachedEntry {
  readonly version: string;
  readonly entry: CacheEntry;
}

export type EntryCache = RecordCache<CachedEntry>;

export function entryCache(): EntryCache {
  return new RecordCache({ maxBytes: MAX_BYTES, bytesOf: ({ entry }) => entryBytes(entry, 0) + 1 });
}
