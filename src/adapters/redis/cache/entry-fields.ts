import type { CacheEntry } from "../../../domain/cache/entry.ts";
import { digest } from "../../../lib/digest.ts";

/**
 * The fields of a cache entry that are readable without the entry, also after Redis has expired it: they keep the
 * counts correct. Stored as `<bytes> <scope> <JSON>`; scripts read the first two (cache-library.lua).
 */
export interface CacheEntryFields {
  /** See entryBytes. */
  readonly bytes: number;
  /** See scopeToken. */
  readonly scope: string;
  readonly model: string;
  readonly tags: readonly string[];
  readonly expireTime: number;
}

const DIGITS = 20;

/** The indexed token of a cache scope: unique to its namespace, and free of text from callers. */
export function scopeToken(namespaceId: string, fingerprint: string): string {
  return digest(namespaceId, fingerprint).slice(0, DIGITS);
}

export function packFields(
  { model, tags, expireTime }: CacheEntry,
  { bytes, scope }: { readonly bytes: number; readonly scope: string },
): string {
  return `${bytes} ${scope} ${JSON.stringify([expireTime, model, ...tags])}`;
}

export function unpackFields(packed: string): CacheEntryFields {
  const [bytes = "", scope = ""] = packed.split(" ", 2);
  const [expireTime, model, ...tags] = JSON.parse(packed.slice(bytes.length + scope.length + 2)) as [
    number,
    string,
    ...string[],
  ];
  return { bytes: Number(bytes), scope, model, tags, expireTime };
}
