import type { EmbeddedText } from "./embedder.ts";

export interface CachedEmbedding {
  /** SHA-256 in lower-case hex, over everything that the vector depends on. */
  readonly key: string;
  readonly embedded: EmbeddedText;
}

/**
 * Keeps what embedding providers were paid for, beyond the process. It may lose anything at any time: it is bounded,
 * what was written longest ago goes first, and what is damaged counts as not there. It knows no tenants: a key tells
 * nothing to who does not have the text already. Rejects with STORE_UNAVAILABLE, STORE_FULL or STORE_CORRUPT.
 */
export interface EmbeddingCache {
  /** In the order of the keys; undefined where there is none, or where it has ended. */
  get(keys: readonly string[], now: number): Promise<(EmbeddedText | undefined)[]>;

  /** Writes all of them or none, replacing those with the same key. They end at `expireTime`. */
  put(
    entries: readonly CachedEmbedding[],
    options: { readonly now: number; readonly expireTime: number },
  ): Promise<void>;
}
