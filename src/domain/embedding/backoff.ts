import { type EmbeddingFailureKind, isRetryable } from "./failure.ts";

export interface RetryPolicy {
  /** Attempts after the first. */
  readonly maxRetries: number;
  /** The longest wait before the first retry; it doubles with each, up to maxDelayMs. */
  readonly baseDelayMs: number;
  readonly maxDelayMs: number;
}

/**
 * The delay before the next attempt, in milliseconds; undefined: no further attempt. `retries`: those made so far;
 * `random`: 0 to 1. Full jitter, so that callers that failed together do not retry together
 * (https://aws.amazon.com/blogs/architecture/exponential-backoff-and-jitter/), added to the provider's Retry-After. A
 * Retry-After above maxDelayMs ends the retries.
 */
export function retryDelay(
  policy: RetryPolicy,
  failure: { readonly kind: EmbeddingFailureKind; readonly retryAfterMs?: number | undefined },
  retries: number,
  random: number,
): number | undefined {
  if (retries >= policy.maxRetries || !isRetryable(failure.kind)) return undefined;
  const retryAfterMs = Math.max(0, failure.retryAfterMs ?? 0);
  if (retryAfterMs > policy.maxDelayMs) return undefined;
  const ceiling = Math.min(policy.maxDelayMs, policy.baseDelayMs * 2 ** retries);
  return Math.min(policy.maxDelayMs, retryAfterMs + random * ceiling);
}
