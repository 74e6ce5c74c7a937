import { EmbeddingFailure } from "./failure.ts";

/** The provider refuses a text, even when it is shortened. */
export interface Refusal {
  /** Status and code of the provider's answer, such as `400 (invalid_input)`; never its message, which may repeat the text. */
  readonly refusal: string;
}

/** The stored form of an error with reason EMBEDDER_REFUSED_TEXT. */
export function refusalBy(error: unknown): Refusal {
  if (!(error instanceof EmbeddingFailure)) return { refusal: "input_refused" };
  const { status = error.kind.toLowerCase(), code } = error;
  return { refusal: code === undefined ? String(status) : `${status} (${code})` };
}

export function isRefusal(outcome: object | string): outcome is Refusal {
  return typeof outcome === "object" && "refusal" in outcome;
}
