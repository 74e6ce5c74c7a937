import { digest } from "../../lib/digest.ts";

/** Everything that a vector depends on, beside the text. */
export interface EmbeddingSource {
  readonly provider: string;
  /** The same model name may mean another model elsewhere. */
  readonly apiBase: string;
  readonly model: string;
  readonly dimension: number;
}

/** Under what the vector of a text is kept: a digest, so that a cache holds no texts. */
export function embeddingKey(source: EmbeddingSource, text: string): string {
  return digest(source.provider, source.apiBase, source.model, String(source.dimension), text);
}
