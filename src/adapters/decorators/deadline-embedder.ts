import { EmbeddingFailure } from "../../domain/embedding/failure.ts";
import type { Embedder, Urgency } from "../../ports/embedding/embedder.ts";

/**
 * Aborts a request, with all its retries, after a timeout. The reason of the inner signal is then the EmbeddingFailure.
 */
export function deadlined(embedder: Embedder, timeoutMs: Readonly<Record<Urgency, number>>): Embedder {
  const { provider } = embedder.identity;
  return {
    identity: embedder.identity,
    embed: async (texts, signal, urgency = "WRITE") => {
      signal.throwIfAborted();
      const inner = new AbortController();
      const forwardAbort = (): void => inner.abort(signal.reason);
      signal.addEventListener("abort", forwardAbort, { once: true });
      const timer = setTimeout(() => {
        const message = `the embedding provider has not answered within ${timeoutMs[urgency]} ms`;
        inner.abort(new EmbeddingFailure("TIMEOUT", message, { provider }));
      }, timeoutMs[urgency]);
      try {
        return await embedder.embed(texts, inner.signal, urgency);
      } finally {
        clearTimeout(timer);
        signal.removeEventListener("abort", forwardAbort);
      }
    },
  };
}
