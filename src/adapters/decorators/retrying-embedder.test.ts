import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import {
  failure,
  kindOf,
  never,
  recordedMetrics,
  scriptedEmbedder,
  vectorOfText,
} from "../../../test/support/scripted-embedder.ts";
import { retrying } from "./retrying-embedder.ts";

const POLICY = { maxRetries: 3, baseDelayMs: 250, maxDelayMs: 8000 };

beforeEach(() => void vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout"], fakeNodeBuiltins: true }));
afterEach(() => void vi.useRealTimers());

function open(random = 1) {
  const provider = scriptedEmbedder();
  const metrics = recordedMetrics();
  return {
    provider,
    metrics,
    embedder: retrying(provider, { policy: POLICY, random: () => random, metrics }),
  };
}

describe("retrying", () => {
  it.each(["RATE_LIMITED", "SERVER_ERROR", "CONNECTION", "TIMEOUT", "MALFORMED"] as const)(
    "asks again after %s, waiting longer each time, and answers when that works",
    async (kind) => {
      const { provider, metrics, embedder } = open();
      provider.next(kind, kind, kind);
      const embedding = embedder.embed(["a"], never());
      for (const [made, delay] of [250, 500, 1000].entries()) {
        await vi.advanceTimersByTimeAsync(delay - 1);
        expect(provider.calls).toHaveLength(made + 1);
        await vi.advanceTimersByTimeAsync(1);
        expect(provider.calls).toHaveLength(made + 2);
      }
      expect(await embedding).toEqual([vectorOfText("a")]);
      expect(metrics.record).toEqual(Array(3).fill(["retry", kind.toLowerCase()]));
    },
  );

  it("ends with the last failure when there are no retries left", async () => {
    const { provider, embedder } = open();
    provider.next("CONNECTION", "CONNECTION", "CONNECTION", "SERVER_ERROR");
    const ended = kindOf(embedder.embed(["a"], never()));
    await vi.runAllTimersAsync();
    expect(await ended).toBe("SERVER_ERROR");
    expect(provider.calls).toHaveLength(4);
  });

  it.each(["KEY_REFUSED", "MISCONFIGURED", "INPUT_REFUSED", "BREAKER_OPEN"] as const)(
    "does not ask again after %s",
    async (kind) => {
      const { provider, embedder } = open();
      provider.next(kind);
      expect(await kindOf(embedder.embed(["a"], never()))).toBe(kind);
      expect(provider.calls).toHaveLength(1);
    },
  );

  it("makes one attempt for a lookup", async () => {
    const { provider, embedder } = open();
    provider.always("SERVER_ERROR");
    expect(await kindOf(embedder.embed(["a"], never(), "LOOKUP"))).toBe("SERVER_ERROR");
    expect(provider.calls).toHaveLength(1);
  });

  it("waits as long as the provider asks for, and not at all for longer than that is worth", async () => {
    const { provider, embedder } = open(0);
    provider.next(failure("RATE_LIMITED", 7000));
    const embedding = embedder.embed(["a"], never());
    await vi.advanceTimersByTimeAsync(6999);
    expect(provider.calls).toHaveLength(1);
    await vi.advanceTimersByTimeAsync(1);
    expect(await embedding).toHaveLength(1);

    provider.next(failure("RATE_LIMITED", 9000));
    expect(await kindOf(embedder.embed(["a"], never()))).toBe("RATE_LIMITED");
    expect(vi.getTimerCount()).toBe(0);
  });

  it("stops waiting when the signal aborts, and keeps the failure that says more than a time that is up", async () => {
    for (const [reason, expected] of [
      [failure("TIMEOUT"), "SERVER_ERROR"],
      [failure("STOPPING"), "STOPPING"],
    ] as const) {
      const { provider, embedder } = open();
      provider.always("SERVER_ERROR");
      const controller = new AbortController();
      const ended = kindOf(embedder.embed(["a"], controller.signal));
      await vi.advanceTimersByTimeAsync(0);
      controller.abort(reason);
      expect(await ended).toBe(expected);
      expect(vi.getTimerCount()).toBe(0);
      expect(provider.calls).toHaveLength(1);
    }
  });
});
