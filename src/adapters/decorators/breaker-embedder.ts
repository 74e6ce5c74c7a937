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
  /** Writes are let through again, after they were not. */
  readonly onRecovered?: () => void;
}

const URGENCIES: readonly Urgency[] = ["WRITE", "LOOKUP"];

/**
 * Does not ask a provider that fails: with the breaker open, a request is refused at once. There are two of them,
 * because a provider may be too slow for a lookup and good enough for a write: a lookup whose short time was up says
 * nothing about writes, and a slow write that succeeded says nothing about lookups. Everything else counts for both.
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
    // A probe of a provider that stays down is no news.
    if (next.state === "HALF_OPEN" || (state === "HALF_OPEN" && next.state === "OPEN")) return;
    log.warn(
      { provider, urgency, state: next.state, cause: next.lastFailure, openMs: next.openMs },
      next.state === "OPEN"
        ? "the embedding provider is not asked for a while"
        : "the embedding provider answers again",
    );
  };
  for (const urgency of URGENCIES) metrics.embeddingBreaker(urgency, "CLOSED");

  const answered = (urgency: Urgency): void => {
    for (const one of URGENCIES) {
      const provesNothing =
        one === "LOOKUP" && urgency === "WRITE" && breakers.LOOKUP.lastFailure === "TIMEOUT";
      if (!provesNothing) change(one, succeeded(breakers[one], clock.now()));
    }
  };
  const broke = (urgency: Urgency, error: unknown): void => {
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
      const passed = admitted(breakers[urgency], clock.now());
      if (passed === undefined) throw refusal(provider, breakers[urgency], clock.now());
      change(urgency, passed);
      try {
        const embedded = await embedder.embed(texts, signal, urgency);
        answered(urgency);
        return embedded;
      } catch (error) {
        // It answers; what it does not like is the text.
        if (error instanceof EmbeddingFailure && error.kind === "INPUT_REFUSED") answered(urgency);
        else broke(urgency, error);
        throw error;
      }
    },
  };
}

/** Callers keep being told of a wrong key or model as such: waiting does not mend it. */
function refusal(provider: string, breaker: Breaker, now: number): EmbeddingFailure {
  const last = breaker.lastFailure;
  const kind = last !== undefined && isMisconfiguration(last) ? last : "BREAKER_OPEN";
  const why = last?.toLowerCase().replaceAll("_", " ") ?? "it failed";
  return new EmbeddingFailure(kind, `the embedding provider is not asked for a while (${why})`, {
    provider,
    retryAfterMs: untilProbe(breaker, now),
  });
}
