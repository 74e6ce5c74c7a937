import { LRUCache } from "lru-cache";
import { type CacheEntry, entryBytes } from "../../domain/cache/entry.ts";

/** What entries may take here, by entryBytes; some 20,000 answers of ordinary length. */
const MAX_BYTES = 32 * 1024 * 1024;

/** An entry, and the version under which Redis holds it: another one with each write. */
export interface KnownEntry {
  readonly version: string;
  readonly entry: CacheEntry;
}

/**
 * Entries that were read lately, as objects. They are never trusted: who asks Redis says which version it has, and is
 * sent the record only when that is not the one, so that a hit parses no JSON and the same entry is the same object.
 */
export class KnownEntries {
  readonly #entries = new LRUCache<string, KnownEntry>({
    maxSize: MAX_BYTES,
    sizeCalculation: ({ entry }) => entryBytes(entry, 0) + 1,
  });

  /** By the entry's key in Redis. */
  get(key: string): KnownEntry | undefined {
    return this.#entries.get(key);
  }

  keep(key: string, known: KnownEntry): void {
    this.#entries.set(key, known);
  }

  forget(key: string): void {
    this.#entries.delete(key);
  }
}
