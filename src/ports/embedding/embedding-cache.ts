import type { EmbeddedText } from "./embedder.ts";

export interface CachedEmbedding {
  /** SHA-256 in lower-case hex, over everything that the vector depends on. */
  readonly key: string;
  readonly embedded: EmbeddedText;
}

/**
 * A persistent cache of the vectors that embedding providers were paid for. It may lose any entry at any time: it is
 * bounded, evicts in order of writing, and answers damaged entries as misses. It is shared by all tenants: a key reveals
 * nothing without the text. Rejects with STORE_UNAVAILABLE, STORE_FULL or STORE_CORRUPT.
 */
export interface EmbeddingCache {
  /** In the order of the keys; undefined where there is none, or where it has expired. */
  get(keys: readonly string[], now: number): Promise<(EmbeddedText | undefined)[]>;

  /** Writes all of them or none, replacing those with the same key. They expire at `expireTime`. */
  put(
    entries: readonly CachedEmbedding[],
    options: { readonly now: number; readonly expireTime: number },
  ): Promise<void>;
}
