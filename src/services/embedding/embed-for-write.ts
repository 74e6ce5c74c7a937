import { isEmbedderFailure } from "../../domain/embedding/failure.ts";
import type { Refusal } from "../../domain/embedding/refusal.ts";
import { abortable } from "../../lib/abort.ts";
import type { EmbeddedText, Embedder } from "../../ports/embedding/embedder.ts";
import { Deadline } from "../deadline.ts";
import { embedEach } from "./embed-each.ts";

/** The vector of a text that is to be written, or why there is none: see MemoryEmbedding. */
export type WriteEmbedding = EmbeddedText | Refusal | "PENDING" | "DISABLED";

export interface WriteEmbedder {
  /** Undefined: vector search is switched off. */
  readonly embedder: Embedder | undefined;
  /** How long a write waits for its vectors, in milliseconds. */
  readonly embeddingWaitMs: number;
}

/**
 * The vectors of texts that are written together, in order, with one call of the embedder. A provider that is down,
 * slow or set up wrongly stops no write: its texts are then PENDING, and what was asked for goes on without the caller.
 * Rejects with nothing but the signal's reason, or what is a mistake in this program.
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
