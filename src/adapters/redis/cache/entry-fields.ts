import type { CacheEntry } from "../../../domain/cache/entry.ts";
import { digest } from "../../../lib/digest.ts";

/**
 * What has to be known of a cache entry without reading it, also after Redis itself has removed it: that is what keeps
 * counts right. Written as `<bytes> <scope> <JSON>`, of which scripts read the first two (lua/cache.lua).
 */
export interface CacheFacts {
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
export function scopeToken(number: string, fingerprint: string): string {
  return digest(number, fingerprint).slice(0, DIGITS);
}

export function packFacts(
  { model, tags, expireTime }: CacheEntry,
  { bytes, scope }: { readonly bytes: number; readonly scope: string },
): string {
  return `${bytes} ${scope} ${JSON.stringify([expireTime, model, ...tags])}`;
}

export function unpackFacts(packed: string): CacheFacts {
  const [bytes = "", scope = ""] = packed.split(" ", 2);
  const [expireTime, model, ...tags] = JSON.parse(packed.slice(bytes.length + scope.length + 2)) as [
    number,
    string,
    ...string[],
  ];
  return { bytes: Number(bytes), scope, model, tags, expireTime };
}
