import type { CacheEntry } from "../../../domain/cache/entry.ts";
import { digest } from "../../../lib/digest.ts";

/**
 * What has to be known of a cache entry without reading it, also after Redis itself has removed it: that is what keeps
 * counts right. Written as `<bytes> <scope> <JSON>`, of which scripts read the first two (cache-library.lua).
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

/** The cache scope of an entry as it is indexed: of one namespace alone, and nothing that a caller wrote. */
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
