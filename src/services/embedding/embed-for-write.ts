import { isEmbedderFailure } from "../../domain/embedding/failure.ts";
import type { Refusal } from "../../domain/embedding/refusal.ts";
import { abortable } from "../../lib/abort.ts";
import type { EmbeddedText, Embedder } from "../../ports/embedding/embedder.ts";
import { Deadline } from "../deadline.ts";
import { embedEach } from "./embed-each.ts";

/** The vector of a text to be written, or why it has none: see MemoryEmbedding. */
export type WriteEmbedding = EmbeddedText | Refusal | "PENDING" | "DISABLED";

export interface WriteEmbedder {
  /** Undefined: vector search is switched off. */
  readonly embedder: Embedder | undefined;
  /** The timeout of a write for its vectors, in milliseconds. */
  readonly embeddingWaitMs: number;
}

/**
 * Embeds texts that are written together, in order, with one call of the embedder. When the provider is down, slow or
 * misconfigured, the write succeeds with PENDING texts, and the request to the provider goes on without the caller.
 * Rejects only with the signal's reason, or because of a bug.
 */
export async function embedForWrite(
  { embedder, embeddingWaitMs }: WriteEmbedder,
  texts: readonly string[],
  signal: AbortSignal,
): Promise<WriteEmbedding[]> {
  if (embedder === undefined) return texts.map(() => "DISABLED");
  if (texts.length === 0) return [];
  using deadline = new Deadline(embeddingWaitMs, { signal });
  try {
    return await abortable(embedEach(embedder, texts, deadline.signal), deadline.signal);
  } catch (error) {
    signal.throwIfAborted();
    if (!isEmbedderFailure(error) && !deadline.signal.aborted) throw error;
    return texts.map(() => "PENDING");
  }
}
