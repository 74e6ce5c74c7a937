import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { type RetryPolicy, retryDelay } from "./backoff.ts";

const POLICY: RetryPolicy = { maxRetries: 3, baseDelayMs: 250, maxDelayMs: 8000 };
const random = fc.double({ min: 0, max: 1, noNaN: true });

describe("retryDelay", () => {
  it("stays below a doubling ceiling, and ends after the last retry", () => {
    const longest = [0, 1, 2, 3].map((retries) => retryDelay(POLICY, { kind: "SERVER_ERROR" }, retries, 1));
    expect(longest).toEqual([250, 500, 1000, undefined]);
    expect(retryDelay(POLICY, { kind: "SERVER_ERROR" }, 0, 0)).toBe(0);
  });

  it("is at least Retry-After, and at most the longest delay", () => {
    fc.assert(
      fc.property(fc.nat(2), random, fc.nat(POLICY.maxDelayMs), (retries, share, retryAfterMs) => {
        const delay = retryDelay(POLICY, { kind: "RATE_LIMITED", retryAfterMs }, retries, share);
        expect(delay).toBeGreaterThanOrEqual(retryAfterMs);
        expect(delay).toBeLessThanOrEqual(POLICY.maxDelayMs);
      }),
    );
  });

  it("ends the retries when Retry-After is longer than that", () => {
    expect(retryDelay(POLICY, { kind: "RATE_LIMITED", retryAfterMs: 8001 }, 0, 0)).toBeUndefined();
  });

  it.each([
    "KEY_REFUSED",
    "MISCONFIGURED",
    "INPUT_REFUSED",
    "BREAKER_OPEN",
    "OVERLOADED",
    "STOPPING",
  ] as const)("does not repeat what cannot succeed: %s", (kind) => {
    expect(retryDelay(POLICY, { kind }, 0, 0)).toBeUndefined();
  });

  it.each(["RATE_LIMITED", "SERVER_ERROR", "CONNECTION", "TIMEOUT", "MALFORMED"] as const)(
    "repeats what may: %s",
    (kind) => {
      expect(retryDelay(POLICY, { kind }, 0, 0.5)).toBe(125);
    },
  );
});
