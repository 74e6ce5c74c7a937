import type { EmbeddedText } from "./embedder.ts";

export interface CachedEmbedding {
  /** See embeddingKey. */
  readonly key: string;
  readonly embedded: EmbeddedText;
}

/**
 * A persistent cache of vectors, because embedding providers charge for them. It may lose any entry at any time: it is
 * bounded, evicts in order of writing, and treats damaged entries as misses. It is shared by all tenants: a key reveals
 * nothing without the text. Rejects with STORE_UNAVAILABLE, STORE_FULL or STORE_CORRUPT.
 */
export interface EmbeddingCache {
  /** In the order of the keys; undefined: not cached, or expired. */
  get(keys: readonly string[], now: number): Promise<(EmbeddedText | undefined)[]>;

  /** Writes all of them or none, replacing those with the same key. They expire at `expireTime`. */
  put(
    entries: readonly CachedEmbedding[],
    options: { readonly now: number; readonly expireTime: number },
  ): Promise<void>;
}
