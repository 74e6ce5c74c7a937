import { type EmbeddingFailureKind, isMisconfiguration } from "./failure.ts";

/** See https://martinfowler.com/bliki/CircuitBreaker.html. OPEN: no requests. HALF_OPEN: one request is sent as a probe. */
export type BreakerState = "CLOSED" | "OPEN" | "HALF_OPEN";

export interface Breaker {
  readonly state: BreakerState;
  /** When it entered this state; milliseconds since the epoch. */
  readonly since: number;
  /** Consecutive failures. */
  readonly failures: number;
  /** The kind of the latest failure. */
  readonly lastFailure?: EmbeddingFailureKind;
  /** The duration of the current or latest open state, in milliseconds. */
  readonly openMs: number;
}

export interface BreakerPolicy {
  /** So many consecutive failures open it. */
  readonly failureThreshold: number;
  /** Duration of the first open state, in milliseconds; doubled whenever a probe fails. */
  readonly openMs: number;
  readonly maxOpenMs: number;
}

/** A closed breaker: all requests pass. */
export function closedBreaker(now: number): Breaker {
  return { state: "CLOSED", since: now, failures: 0, openMs: 0 };
}

/** Milliseconds until a request may pass as a probe; 0: now. */
export function untilProbe(breaker: Breaker, now: number): number {
  if (breaker.state === "CLOSED") return 0;
  // A probe is in flight: its end is unknown.
  if (breaker.state === "HALF_OPEN") return Math.max(1, breaker.openMs);
  return Math.max(0, breaker.since + breaker.openMs - now);
}

/** The breaker after a request has passed; undefined: the request is refused. */
export function admitted(breaker: Breaker, now: number): Breaker | undefined {
  if (breaker.state === "CLOSED") return breaker;
  if (breaker.state === "HALF_OPEN" || untilProbe(breaker, now) > 0) return undefined;
  return { ...breaker, state: "HALF_OPEN", since: now };
}

/** The breaker after an answer, which may be a refusal of the text. */
export function succeeded(breaker: Breaker, now: number): Breaker {
  if (breaker.state === "CLOSED" && breaker.failures === 0) return breaker;
  return { ...closedBreaker(now), since: breaker.state === "CLOSED" ? breaker.since : now };
}

/**
 * The breaker after a failed request. A misconfiguration opens it at once and for the longest time; other failures when
 * there were enough in a row, or when the request was the probe. Retry-After extends the open state, up to the longest time.
 */
export function failed(
  breaker: Breaker,
  policy: BreakerPolicy,
  failure: { readonly kind: EmbeddingFailureKind; readonly retryAfterMs?: number | undefined },
  now: number,
): Breaker {
  const { kind } = failure;
  const counted = { ...breaker, failures: breaker.failures + 1, lastFailure: kind };
  // The request was in flight when the breaker opened.
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
