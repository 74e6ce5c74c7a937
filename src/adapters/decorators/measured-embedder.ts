import { failureKind } from "../../domain/embedding/failure.ts";
import type { Embedder } from "../../ports/embedding/embedder.ts";
import type { EmbeddingMetrics } from "../../ports/metrics.ts";

/** Counts and times each request. */
export function measured(embedder: Embedder, metrics: Pick<EmbeddingMetrics, "embeddingRequest">): Embedder {
  return {
    identity: embedder.identity,
    embed: async (texts, signal, urgency) => {
      const start = performance.now();
      const ended = (outcome: string): void =>
        metrics.embeddingRequest(outcome, texts.length, performance.now() - start);
      try {
        const embedded = await embedder.embed(texts, signal, urgency);
        ended("ok");
        return embedded;
      } catch (error) {
        ended(failureKind(error)?.toLowerCase() ?? "error");
        throw error;
      }
    },
  };
}
