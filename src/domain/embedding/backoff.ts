import { type EmbeddingFailureKind, isRetryable } from "./failure.ts";

export interface RetryPolicy {
  /** Attempts after the first. */
  readonly maxRetries: number;
  /** The longest wait before the first retry; it doubles with each, up to maxDelayMs. */
  readonly baseDelayMs: number;
  readonly maxDelayMs: number;
}

/**
 * How long to wait before the next attempt; undefined when there is to be none. `retries` have been made already;
 * `random` is 0 to 1. Full jitter, so that callers who failed together do not come back together
 * (https://aws.amazon.com/blogs/architecture/exponential-backoff-and-jitter/), on top of what the provider asks for.
 * When it asks for more than maxDelayMs the caller had better know now.
 */
export function retryDelay(
  policy: RetryPolicy,
  failure: { readonly kind: EmbeddingFailureKind; readonly retryAfterMs?: number | undefined },
  retries: number,
  random: number,
): number | undefined {
  if (retries >= policy.maxRetries || !isRetryable(failure.kind)) return undefined;
  const asked = Math.max(0, failure.retryAfterMs ?? 0);
  if (asked > policy.maxDelayMs) return undefined;
  const ceiling = Math.min(policy.maxDelayMs, policy.baseDelayMs * 2 ** retries);
  return Math.min(policy.maxDelayMs, asked + random * ceiling);
}
