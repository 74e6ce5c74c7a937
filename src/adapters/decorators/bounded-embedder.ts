import { EmbeddingFailure } from "../../domain/embedding/failure.ts";
import type { Embedder } from "../../ports/embedding/embedder.ts";

export interface QueueLimits {
  readonly maxTexts: number;
  /** Of the texts together, in UTF-16 units. */
  readonly maxCharacters: number;
}

/** The retry delay for a full queue. */
const RETRY_AFTER_MS = 1000;

/** Bounds the queue: refuses a call that would exceed the limits, unless the queue is empty. */
export function bounded(embedder: Embedder, limits: QueueLimits): Embedder {
  const queued = { texts: 0, characters: 0 };
  return {
    identity: embedder.identity,
    embed: async (texts, signal, urgency) => {
      const characters = texts.reduce((sum, text) => sum + text.length, 0);
      const full =
        queued.texts + texts.length > limits.maxTexts ||
        queued.characters + characters > limits.maxCharacters;
      if (full && queued.texts > 0) {
        throw new EmbeddingFailure("OVERLOADED", "too many texts are queued for the embedding provider", {
          provider: embedder.identity.provider,
          retryAfterMs: RETRY_AFTER_MS,
        });
      }
      queued.texts += texts.length;
      queued.characters += characters;
      try {
        return await embedder.embed(texts, signal, urgency);
      } finally {
        queued.texts -= texts.length;
        queued.characters -= characters;
      }
    },
  };
}
