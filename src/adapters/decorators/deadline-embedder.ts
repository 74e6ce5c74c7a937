import { EmbeddingFailure } from "../../domain/embedding/failure.ts";
import type { Embedder, Urgency } from "../../ports/embedding/embedder.ts";

/**
 * Ends a request, with all its attempts, when its time is up. The signal below then aborts with the failure itself,
 * so that whatever listens to it knows why.
 */
export function deadlined(embedder: Embedder, timeoutMs: Readonly<Record<Urgency, number>>): Embedder {
  const { provider } = embedder.identity;
  return {
    identity: embedder.identity,
    embed: async (texts, signal, urgency = "WRITE") => {
      signal.throwIfAborted();
      const within = new AbortController();
      const pass = (): void => within.abort(signal.reason);
      signal.addEventListener("abort", pass, { once: true });
      const timer = setTimeout(() => {
        const message = `the embedding provider has not answered within ${timeoutMs[urgency]} ms`;
        within.abort(new EmbeddingFailure("TIMEOUT", message, { provider }));
      }, timeoutMs[urgency]);
      try {
        return await embedder.embed(texts, within.signal, urgency);
      } finally {
        clearTimeout(timer);
        signal.removeEventListener("abort", pass);
      }
    },
  };
}
