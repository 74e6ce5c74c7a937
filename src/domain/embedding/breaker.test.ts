import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { admitted, type Breaker, closedBreaker, failed, succeeded, untilProbe } from "./breaker.ts";
import type { EmbeddingFailureKind } from "./failure.ts";

const POLICY = { failureThreshold: 3, openMs: 1000, maxOpenMs: 8000 };

function afterFailures(breaker: Breaker, now: number, ...kinds: EmbeddingFailureKind[]): Breaker {
  return kinds.reduce((one, kind) => failed(one, POLICY, { kind }, now), breaker);
}

/** A breaker with a probe in flight. */
function probing(breaker: Breaker, now: number): Breaker {
  const passed = admitted(breaker, now);
  if (passed === undefined) throw new Error("the probe was not let through");
  return passed;
}

describe("the breaker", () => {
  it("opens after so many consecutive failures, which a success resets", () => {
    const twice = afterFailures(closedBreaker(0), 5, "TIMEOUT", "SERVER_ERROR");
    expect(twice).toMatchObject({ state: "CLOSED", since: 0, failures: 2 });
    expect(afterFailures(succeeded(twice, 6), 7, "TIMEOUT", "TIMEOUT").state).toBe("CLOSED");
    expect(afterFailures(twice, 8, "CONNECTION")).toMatchObject({
      state: "OPEN",
      since: 8,
      lastFailure: "CONNECTION",
      openMs: 1000,
    });
  });

  it.each(["KEY_REFUSED", "MISCONFIGURED"] as const)(
    "opens at once, for the longest time, after %s",
    (kind) => {
      expect(afterFailures(closedBreaker(0), 5, kind)).toMatchObject({
        state: "OPEN",
        lastFailure: kind,
        openMs: 8000,
      });
    },
  );

  it("passes one probe after the open time, and no second one", () => {
    const open = afterFailures(closedBreaker(0), 0, "TIMEOUT", "TIMEOUT", "TIMEOUT");
    expect(admitted(open, 999)).toBeUndefined();
    expect(untilProbe(open, 999)).toBe(1);
    const half = probing(open, 1000);
    expect(half).toMatchObject({ state: "HALF_OPEN", since: 1000 });
    expect(admitted(half, 5000)).toBeUndefined();
  });

  it("closes when the probe succeeds, and stays open twice as long when it fails, up to a limit", () => {
    let breaker = afterFailures(closedBreaker(0), 0, "TIMEOUT", "TIMEOUT", "TIMEOUT");
    expect(succeeded(probing(breaker, 1000), 1001)).toEqual(closedBreaker(1001));
    let now = 0;
    const lengths = [];
    for (let probe = 0; probe < 5; probe += 1) {
      now += breaker.openMs;
      breaker = afterFailures(probing(breaker, now), now, "TIMEOUT");
      lengths.push(breaker.openMs);
    }
    expect(lengths).toEqual([2000, 4000, 8000, 8000, 8000]);
  });

  it("respects Retry-After", () => {
    const almost = afterFailures(closedBreaker(0), 0, "TIMEOUT", "TIMEOUT");
    expect(failed(almost, POLICY, { kind: "RATE_LIMITED", retryAfterMs: 3000 }, 0).openMs).toBe(3000);
    expect(failed(almost, POLICY, { kind: "RATE_LIMITED", retryAfterMs: 90_000 }, 0).openMs).toBe(8000);
  });

  it("ignores failures of requests that were in flight when it opened", () => {
    const open = afterFailures(closedBreaker(0), 0, "TIMEOUT", "TIMEOUT", "TIMEOUT");
    const later = afterFailures(open, 900, "TIMEOUT", "TIMEOUT");
    expect(later).toMatchObject({ state: "OPEN", since: 0, openMs: 1000 });
  });

  it("never has two probes in flight, and never stays open longer than the maximum", () => {
    const events = fc.array(
      fc.record({
        what: fc.constantFrom("ask", "succeed", "fail", "refuse"),
        after: fc.nat(3000),
      }),
      { maxLength: 50 },
    );
    fc.assert(
      fc.property(events, (list) => {
        let breaker = closedBreaker(0);
        let now = 0;
        let probes = 0;
        for (const event of list) {
          now += event.after;
          if (event.what === "ask") {
            const passed = admitted(breaker, now);
            if (passed?.state === "HALF_OPEN") probes += 1;
            breaker = passed ?? breaker;
          } else {
            if (breaker.state === "HALF_OPEN") probes -= 1;
            if (event.what === "succeed") breaker = succeeded(breaker, now);
            else breaker = afterFailures(breaker, now, event.what === "fail" ? "TIMEOUT" : "KEY_REFUSED");
          }
          expect(probes).toBe(breaker.state === "HALF_OPEN" ? 1 : 0);
          expect(breaker.openMs).toBeLessThanOrEqual(POLICY.maxOpenMs);
          if (breaker.state === "OPEN")
            expect(admitted(breaker, breaker.since + POLICY.maxOpenMs)).toBeDefined();
        }
      }),
    );
  });
});
