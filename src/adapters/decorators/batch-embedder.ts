import type { EmbeddedText, EmbedderIdentity, Urgency } from "../../ports/embedding/embedder.ts";

/** The outcome of one text of a batch. */
export type EmbeddingOutcome = PromiseSettledResult<EmbeddedText>;

/**
 * An embedder of batches whose texts belong to different callers: each text has an outcome of its own, in order, so that
 * the failure of one does not affect the others. Never rejects.
 */
export interface BatchEmbedder {
  readonly identity: EmbedderIdentity;
  embedEach(
    texts: readonly string[],
    signal: AbortSignal,
    urgency: Urgency,
  ): Promise<readonly EmbeddingOutcome[]>;
}

/** The outcome of an embedded text. */
export function fulfilled(value: EmbeddedText): EmbeddingOutcome {
  return { status: "fulfilled", value };
}

/** The outcome of a failed text. */
export function rejected(reason: unknown): EmbeddingOutcome {
  return { status: "rejected", reason };
}
