import { EmbeddingFailure } from "../../domain/embedding/failure.ts";
import type { Embedder } from "../../ports/embedding/embedder.ts";

export interface QueueLimits {
  readonly maxTexts: number;
  /** Of the texts together, in UTF-16 units. */
  readonly maxCharacters: number;
}

/** When it is worth coming back to a full queue. */
const RETRY_AFTER_MS = 1000;

/** Refuses, at once, what would make more texts wait than the limits say. A call that finds nobody waiting enters. */
export function bounded(embedder: Embedder, limits: QueueLimits): Embedder {
  const waiting = { texts: 0, characters: 0 };
  return {
    identity: embedder.identity,
    embed: async (texts, signal, urgency) => {
      const characters = texts.reduce((sum, text) => sum + text.length, 0);
      const full =
        waiting.texts + texts.length > limits.maxTexts ||
        waiting.characters + characters > limits.maxCharacters;
      if (full && waiting.texts > 0) {
        throw new EmbeddingFailure("OVERLOADED", "too many texts wait for the embedding provider", {
          provider: embedder.identity.provider,
          retryAfterMs: RETRY_AFTER_MS,
        });
      }
      waiting.texts += texts.length;
      waiting.characters += characters;
      try {
        return await embedder.embed(texts, signal, urgency);
      } finally {
        waiting.texts -= texts.length;
        waiting.characters -= characters;
      }
    },
  };
}
