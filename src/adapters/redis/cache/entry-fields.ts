import type { CacheEntry } from "../../../domain/cache/entry.ts";
import { digest } from "../../../lib/digest.ts";

/**
 * The fields of a cache entry that are readable without the entry, also after Redis has expired it: they keep the
 * counts correct. Stored as `<bytes> <scope> <stamp> <JSON>`; scripts read the first three (cache-library.lua), and write the
 * stamp (invalidation-library.lua).
 */
export interface CacheEntryFields {
  /** See entryBytes. */
  readonly bytes: number;
  /** See scopeToken. */
  readonly scope: string;
  /** See partsOf. */
  readonly parts: string;
  readonly model: string;
  readonly tags: readonly string[];
  readonly expireTime: number;
}

const DIGITS = 20;

/** The indexed token of a cache scope: unique to its namespace, and free of text from callers. */
export function scopeToken(namespaceId: string, fingerprint: string): string {
  return digest(namespaceId, fingerprint).slice(0, DIGITS);
}

/** The text before the stamp, and behind it. */
export function packFields(
  { model, tags, expireTime }: CacheEntry,
  { bytes, scope }: { readonly bytes: number; readonly scope: string },
): { readonly fieldsBefore: string; readonly fieldsAfter: string } {
  return {
    fieldsBefore: `${bytes} ${scope} `,
    fieldsAfter: ` ${JSON.stringify([expireTime, model, ...tags])}`,
  };
}

export function unpackFields(packed: string): CacheEntryFields {
  const [bytes = "", scope = "", stamp = ""] = packed.split(" ", 3);
  const json = packed.slice(bytes.length + scope.length + stamp.length + 3);
  const [expireTime, model, ...tags] = JSON.parse(json) as [number, string, ...string[]];
  const parts = stamp.slice(stamp.indexOf(":") + 1);
  return { bytes: Number(bytes), scope, parts, model, tags, expireTime };
}
