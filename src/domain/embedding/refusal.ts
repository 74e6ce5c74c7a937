import { EmbeddingFailure } from "./failure.ts";

/** The provider does not take a text, not even its beginning. */
export interface Refusal {
  /** Status and code of the provider's answer, such as `400 (invalid_input)`; never its words, which may repeat the text. */
  readonly refusal: string;
}

/** What an embedding failed with whose reason is EMBEDDER_REFUSED_TEXT, as what is kept of it. */
export function refusalBy(error: unknown): Refusal {
  if (!(error instanceof EmbeddingFailure)) return { refusal: "input_refused" };
  const { status = error.kind.toLowerCase(), code } = error;
  return { refusal: code === undefined ? String(status) : `${status} (${code})` };
}

export function isRefusal(outcome: object | string): outcome is Refusal {
  return typeof outcome === "object" && "refusal" in outcome;
}
