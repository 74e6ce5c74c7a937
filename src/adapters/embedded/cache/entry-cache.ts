import { LRUCache } from "lru-cache";
import type { NamespaceKey } from "../../../domain/access/tenancy.ts";
import { type CacheEntry, entryBytes } from "../../../domain/cache/entry.ts";

/** Bound on the cached entries, in bytes as entryBytes counts them; some 20,000 answers of ordinary length. */
const MAX_BYTES = 32 * 1024 * 1024;

interface CachedEntry {
  readonly row: number;
  readonly namespace: NamespaceKey;
  readonly entry: CacheEntry;
}

/**
 * Recently read entries, as objects: a hit then reads no row, checks no checksum and parses no JSON. Filled by reads
 * only, never by writes; every row that is changed or deleted is removed from it at that moment (see Database.onChange),
 * so it equals the data on disk.
 */
export class EntryCache {
  #rows = new Map<number, string>();
  #entries = this.#newEntries();

  /** Ids are digests that include the namespace, but a caller can pass any id: the namespace is compared too. */
  find({ tenant, namespace }: NamespaceKey, id: string): CacheEntry | undefined {
    const cached = this.#entries.get(id);
    if (cached?.namespace.namespace !== namespace || cached.namespace.tenant !== tenant) return undefined;
    return cached.entry;
  }

  at(row: number): CacheEntry | undefined {
    const id = this.#rows.get(row);
    return id === undefined ? undefined : this.#entries.get(id)?.entry;
  }

  set(namespace: NamespaceKey, row: number, entry: CacheEntry): void {
    this.#entries.set(entry.id, { row, namespace, entry });
    // An entry larger than MAX_BYTES is not cached.
    if (this.#entries.has(entry.id)) this.#rows.set(row, entry.id);
  }

  delete(row: number): void {
    const id = this.#rows.get(row);
    if (id !== undefined) this.#entries.delete(id);
  }

  /** Takes the same time whatever the number of entries. */
  clear(): void {
    this.#rows = new Map();
    this.#entries = this.#newEntries();
  }

  #newEntries(): LRUCache<string, CachedEntry> {
    const rows = this.#rows;
    return new LRUCache({
      maxSize: MAX_BYTES,
      sizeCalculation: ({ entry }) => entryBytes(entry, 0) + 1,
      dispose: ({ row }) => void rows.delete(row),
    });
  }
}
