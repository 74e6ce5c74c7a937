import { type EmbeddingFailureKind, isMisconfiguration } from "./failure.ts";

/** See https://martinfowler.com/bliki/CircuitBreaker.html. OPEN: nothing is asked. HALF_OPEN: one request probes. */
export type BreakerState = "CLOSED" | "OPEN" | "HALF_OPEN";

export interface Breaker {
  readonly state: BreakerState;
  /** When it came into this state; milliseconds since the epoch. */
  readonly since: number;
  /** Failures without a success in between. */
  readonly failures: number;
  /** The kind of the latest of them. */
  readonly lastFailure?: EmbeddingFailureKind;
  /** How long it stays, or stayed, open. */
  readonly openMs: number;
}

export interface BreakerPolicy {
  /** So many failures in a row open it. */
  readonly failureThreshold: number;
  /** How long it stays open the first time; doubled whenever the probe fails. */
  readonly openMs: number;
  readonly maxOpenMs: number;
}

/** A breaker that lets everything through. */
export function closedBreaker(now: number): Breaker {
  return { state: "CLOSED", since: now, failures: 0, openMs: 0 };
}

/** Milliseconds until a request is let through as a probe; 0 when one is now. */
export function untilProbe(breaker: Breaker, now: number): number {
  if (breaker.state === "CLOSED") return 0;
  // While a probe is out nobody knows when it ends; then as soon as it may.
  if (breaker.state === "HALF_OPEN") return Math.max(1, breaker.openMs);
  return Math.max(0, breaker.since + breaker.openMs - now);
}

/** A request asks to pass. The breaker as it is then; undefined: it must not. */
export function admitted(breaker: Breaker, now: number): Breaker | undefined {
  if (breaker.state === "CLOSED") return breaker;
  if (breaker.state === "HALF_OPEN" || untilProbe(breaker, now) > 0) return undefined;
  return { ...breaker, state: "HALF_OPEN", since: now };
}

/** A request was answered; also one that was answered with a refusal of its text. */
export function succeeded(breaker: Breaker, now: number): Breaker {
  if (breaker.state === "CLOSED" && breaker.failures === 0) return breaker;
  return { ...closedBreaker(now), since: breaker.state === "CLOSED" ? breaker.since : now };
}

/**
 * A request failed. What only another configuration mends opens at once and for the longest time; the rest when
 * there were enough in a row, or when it was the probe. A provider that says when to come back is taken at its word.
 */
export function failed(
  breaker: Breaker,
  policy: BreakerPolicy,
  failure: { readonly kind: EmbeddingFailureKind; readonly retryAfterMs?: number | undefined },
  now: number,
): Breaker {
  const { kind } = failure;
  const counted = { ...breaker, failures: breaker.failures + 1, lastFailure: kind };
  // Late news of requests that were out when it opened.
  if (breaker.state === "OPEN") return counted;
  const opens =
    breaker.state === "HALF_OPEN" || isMisconfiguration(kind) || counted.failures >= policy.failureThreshold;
  if (!opens) return counted;
  const openMs = isMisconfiguration(kind)
    ? policy.maxOpenMs
    : Math.min(
        policy.maxOpenMs,
        Math.max(
          failure.retryAfterMs ?? 0,
          breaker.state === "HALF_OPEN" ? 2 * breaker.openMs : policy.openMs,
        ),
      );
  return { ...counted, state: "OPEN", since: now, openMs };
}
