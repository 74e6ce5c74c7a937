import type { EmbeddedText, EmbedderIdentity, Urgency } from "../../ports/embedding/embedder.ts";

/** How one text of a batch ended. */
export type EmbeddingOutcome = PromiseSettledResult<EmbeddedText>;

/**
 * An embedder below the coalescer, where the texts of one batch belong to different callers: each has an outcome of
 * its own, in order, so that the text of one does not spoil the batch of the others. Never rejects.
 */
export interface BatchEmbedder {
  readonly identity: EmbedderIdentity;
  embedEach(
    texts: readonly string[],
    signal: AbortSignal,
    urgency: Urgency,
  ): Promise<readonly EmbeddingOutcome[]>;
}

/** The outcome of a text that was embedded. */
export function fulfilled(value: EmbeddedText): EmbeddingOutcome {
  return { status: "fulfilled", value };
}

/** The outcome of one that was not. */
export function rejected(reason: unknown): EmbeddingOutcome {
  return { status: "rejected", reason };
}
