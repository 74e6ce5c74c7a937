import {
  admitted,
  type Breaker,
  type BreakerPolicy,
  closedBreaker,
  failed,
  succeeded,
  untilProbe,
} from "../../domain/embedding/breaker.ts";
import { EmbeddingFailure, isMisconfiguration } from "../../domain/embedding/failure.ts";
import type { Clock } from "../../ports/clock.ts";
import type { Embedder, Urgency } from "../../ports/embedding/embedder.ts";
import type { ObservedEmbedder } from "../../ports/embedding/embedder-status.ts";
import type { Log } from "../../ports/log.ts";
import type { EmbeddingMetrics } from "../../ports/metrics.ts";

export interface BreakerOptions {
  readonly policy: BreakerPolicy;
  readonly clock: Clock;
  readonly log: Log;
  readonly metrics: Pick<EmbeddingMetrics, "embeddingBreaker">;
  /** Called when the breaker of writes closes. */
  readonly onRecovered?: () => void;
}

const URGENCIES: readonly Urgency[] = ["WRITE", "LOOKUP"];

/**
 * A circuit breaker: while it is open, requests fail at once. One for each urgency, because a provider may be too slow for
 * lookups and fast enough for writes: a timeout of a lookup does not count for writes, and a success of a write does not
 * close the breaker of lookups after a timeout. All other outcomes count for both.
 */
export function breakable(embedder: Embedder, options: BreakerOptions): ObservedEmbedder {
  const { clock, log, metrics, policy } = options;
  const { provider } = embedder.identity;
  const start = closedBreaker(clock.now());
  const breakers: Record<Urgency, Breaker> = { WRITE: start, LOOKUP: start };

  const change = (urgency: Urgency, next: Breaker): void => {
    const { state } = breakers[urgency];
    breakers[urgency] = next;
    if (next.state === state) return;
    metrics.embeddingBreaker(urgency, next.state);
    if (urgency === "WRITE" && next.state === "CLOSED") options.onRecovered?.();
    // Probes of a provider that stays down are not logged.
    if (next.state === "HALF_OPEN" || (state === "HALF_OPEN" && next.state === "OPEN")) return;
    log.warn(
      { provider, urgency, state: next.state, cause: next.lastFailure, openMs: next.openMs },
      next.state === "OPEN"
        ? "the circuit breaker of the embedding provider is open: no requests for a while"
        : "the circuit breaker of the embedding provider is closed again",
    );
  };
  for (const urgency of URGENCIES) metrics.embeddingBreaker(urgency, "CLOSED");

  const recordSuccess = (urgency: Urgency): void => {
    for (const one of URGENCIES) {
      const mayStillTimeOut =
        one === "LOOKUP" && urgency === "WRITE" && breakers.LOOKUP.lastFailure === "TIMEOUT";
      if (!mayStillTimeOut) change(one, succeeded(breakers[one], clock.now()));
    }
  };
  const recordFailure = (urgency: Urgency, error: unknown): void => {
    const failure = error instanceof EmbeddingFailure ? error : undefined;
    const kind = failure?.kind ?? "SERVER_ERROR";
    const retryAfterMs = failure?.detail.retryAfterMs;
    for (const one of URGENCIES) {
      if (one !== urgency && urgency === "LOOKUP" && kind === "TIMEOUT") continue;
      change(one, failed(breakers[one], policy, { kind, retryAfterMs }, clock.now()));
    }
  };

  return {
    identity: embedder.identity,
    status: () => ({ ...breakers }),
    embed: async (texts, signal, urgency = "WRITE") => {
      signal.throwIfAborted();
      const next = admitted(breakers[urgency], clock.now());
      if (next === undefined) throw refusal(provider, breakers[urgency], clock.now());
      change(urgency, next);
      try {
        const embedded = await embedder.embed(texts, signal, urgency);
        recordSuccess(urgency);
        return embedded;
      } catch (error) {
        // The provider works: it refuses the text.
        if (error instanceof EmbeddingFailure && error.kind === "INPUT_REFUSED") recordSuccess(urgency);
        else recordFailure(urgency, error);
        throw error;
      }
    },
  };
}

/** The error while the breaker is open. A misconfiguration keeps its kind, because a retry cannot succeed. */
function refusal(provider: string, breaker: Breaker, now: number): EmbeddingFailure {
  const last = breaker.lastFailure;
  const kind = last !== undefined && isMisconfiguration(last) ? last : "BREAKER_OPEN";
  const why = last?.toLowerCase().replaceAll("_", " ") ?? "it failed";
  return new EmbeddingFailure(kind, `the circuit breaker of the embedding provider is open (${why})`, {
    provider,
    retryAfterMs: untilProbe(breaker, now),
  });
}
