import { digest } from "../../lib/digest.ts";

/** Everything besides the text that a vector depends on. */
export interface EmbeddingSource {
  readonly provider: string;
  /** Another server may serve another model by the same name. */
  readonly apiBase: string;
  readonly model: string;
  readonly dimension: number;
}

/** The cache key of a vector: a digest, so that a cache contains no texts. */
export function embeddingKey(source: EmbeddingSource, text: string): string {
  return digest(source.provider, source.apiBase, source.model, String(source.dimension), text);
}
