import { type RetryPolicy, retryDelay } from "../../domain/embedding/backoff.ts";
import { EmbeddingFailure, failureKind } from "../../domain/embedding/failure.ts";
import type { Embedder } from "../../ports/embedding/embedder.ts";
import type { EmbeddingMetrics } from "../../ports/metrics.ts";
import { sleep } from "../system/sleep.ts";

export interface RetryOptions {
  readonly policy: RetryPolicy;
  /** 0 to below 1. */
  readonly random: () => number;
  readonly metrics: Pick<EmbeddingMetrics, "embeddingRetry">;
}

/** Tries again, after a while, what may succeed then. A LOOKUP has one attempt: whoever waits for it can do without. */
export function retrying(embedder: Embedder, options: RetryOptions): Embedder {
  return {
    identity: embedder.identity,
    embed: async (texts, signal, urgency = "WRITE") => {
      for (let retries = 0; ; retries += 1) {
        try {
          return await embedder.embed(texts, signal, urgency);
        } catch (error) {
          if (urgency === "LOOKUP" || !(error instanceof EmbeddingFailure) || signal.aborted) throw error;
          const { kind } = error;
          const { retryAfterMs } = error.detail;
          const delay = retryDelay(options.policy, { kind, retryAfterMs }, retries, options.random());
          if (delay === undefined) throw error;
          options.metrics.embeddingRetry(kind.toLowerCase());
          await sleep(delay, signal).catch((reason: unknown) => {
            // That the time is up says less than what the provider said last.
            throw failureKind(reason) === "TIMEOUT" ? error : reason;
          });
        }
      }
    },
  };
}
