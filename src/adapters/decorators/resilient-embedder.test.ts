import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import {
  failure,
  kindOf,
  never,
  recordedMetrics,
  scriptedEmbedder,
  vectorOfText,
} from "../../../test/support/scripted-embedder.ts";
import type { EmbeddedText } from "../../ports/embedding/embedder.ts";
import type { EmbeddingCache } from "../../ports/embedding/embedding-cache.ts";
import { createResilientEmbedder } from "./resilient-embedder.ts";

beforeEach(() => void vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout"], fakeNodeBuiltins: true }));
afterEach(() => void vi.useRealTimers());

const TTL_MS = 10_000;

/** What is kept, without its end: that is the stores' to know. */
function memoryCache(): EmbeddingCache & { readonly rows: Map<string, EmbeddedText> } {
  const rows = new Map<string, EmbeddedText>();
  return {
    rows,
    get: async (keys) => keys.map((key) => rows.get(key)),
    put: async (entries) => {
      for (const { key, embedded } of entries) rows.set(key, embedded);
    },
  };
}

interface Changes {
  readonly cache?: EmbeddingCache;
  readonly cacheTtlMs?: number;
  readonly apiBase?: string;
}

function open(changes: Changes = {}) {
  const provider = scriptedEmbedder();
  const metrics = recordedMetrics();
  const time = { now: 1_700_000_000_000 };
  const warnings: unknown[] = [];
  const embedder = createResilientEmbedder(provider, {
    apiBase: "http://a/v1",
    batchSize: 100,
    maxRetries: 3,
    timeoutMs: 30_000,
    lookupTimeoutMs: 800,
    cacheTtlMs: TTL_MS,
    cache: memoryCache(),
    clock: { now: () => time.now },
    random: () => 0.5,
    log: { warn: (...line) => void warnings.push(line) },
    metrics,
    ...changes,
  });
  return { provider, metrics, time, warnings, embedder };
}

describe("the resilient embedder", () => {
  it("makes one call of 100 texts of 1,000 requests over 100 different ones", async () => {
    const { provider, embedder } = open();
    const texts = Array.from({ length: 1000 }, (_, index) => `text ${index % 100}`);
    const answers = await Promise.all(texts.map((text) => embedder.embed([text], never())));
    expect(provider.calls.map((call) => call.texts.length)).toEqual([100]);
    expect(answers).toEqual(texts.map((text) => [vectorOfText(text)]));
  });

  it("caches a vector for as long as the options say", async () => {
    const { provider, embedder, time, metrics } = open({
      cache: { get: async () => [], put: async () => undefined },
    });
    await embedder.embed(["a", "b"], never());
    time.now += TTL_MS - 1;
    expect(await embedder.embed(["b", "c", "a"], never())).toEqual(["b", "c", "a"].map(vectorOfText));
    time.now += 2;
    await embedder.embed(["a"], never());
    expect(provider.calls.map((call) => call.texts)).toEqual([["a", "b"], ["c"], ["a"]]);
    expect(metrics.record.filter(([what]) => what === "cache")).toEqual([
      ["cache", "miss", 2],
      ["cache", "memory", 2],
      ["cache", "miss", 1],
      ["cache", "miss", 1],
    ]);
  });

  it("finds what another process has kept, though the provider is down, and nothing of another server", async () => {
    const cache = memoryCache();
    await open({ cache }).embedder.embed(["a", "b"], never());
    const { provider, embedder, metrics } = open({ cache });
    provider.always("KEY_REFUSED");
    expect(await kindOf(embedder.embed(["c"], never()))).toBe("KEY_REFUSED");
    expect(await embedder.embed(["b", "a"], never())).toEqual(["b", "a"].map(vectorOfText));
    expect(metrics.record).toContainEqual(["cache", "store", 2]);
    const elsewhere = open({ cache, apiBase: "http://b/v1" });
    await elsewhere.embedder.embed(["a"], never());
    expect(elsewhere.provider.calls).toHaveLength(1);
  });

  it("asks for what is kept with another length", async () => {
    const cache = memoryCache();
    await open({ cache }).embedder.embed(["a"], never());
    for (const key of cache.rows.keys())
      cache.rows.set(key, { vector: Float32Array.of(1), truncated: false });
    const { provider, embedder } = open({ cache });
    expect(await embedder.embed(["a"], never())).toEqual([vectorOfText("a")]);
    expect(provider.calls).toHaveLength(1);
  });

  it("answers though the cache fails", async () => {
    const broken = () => Promise.reject(new Error("the cache is broken"));
    const { embedder, warnings } = open({ cache: { get: broken, put: broken } });
    expect(await embedder.embed(["a"], never())).toEqual([vectorOfText("a")]);
    await embedder[Symbol.asyncDispose]();
    expect(warnings).toHaveLength(2);
  });

  it("caches nothing with a lifetime of 0", async () => {
    const cache = memoryCache();
    const { provider, embedder } = open({ cache, cacheTtlMs: 0 });
    await embedder.embed(["a"], never());
    await embedder.embed(["a"], never());
    expect(provider.calls).toHaveLength(2);
    expect(cache.rows.size).toBe(0);
  });

  it("keeps the mark of a text that was too long", async () => {
    const { provider, embedder } = open();
    const long = "word ".repeat(200);
    provider.next("INPUT_REFUSED");
    expect((await embedder.embed([long], never()))[0]?.truncated).toBe(true);
    expect((await embedder.embed([long], never()))[0]?.truncated).toBe(true);
    expect(provider.calls).toHaveLength(2);
  });

  it("ends a lookup of a dead provider in its own short time, and at once when the breaker is open", async () => {
    const { provider, embedder } = open();
    provider.always("hang");
    for (let lookup = 0; lookup < 5; lookup += 1) {
      const ended = kindOf(embedder.embed([`text ${lookup}`], never(), "LOOKUP"));
      await new Promise((resolve) => setImmediate(resolve));
      await vi.advanceTimersByTimeAsync(800);
      expect(await ended).toBe("TIMEOUT");
    }
    expect(embedder.status()).toMatchObject({ LOOKUP: { state: "OPEN" }, WRITE: { state: "CLOSED" } });
    expect(await kindOf(embedder.embed(["a"], never(), "LOOKUP"))).toBe("BREAKER_OPEN");
    expect(provider.calls).toHaveLength(5);
    expect(vi.getTimerCount()).toBe(0);
  });

  it("learns from a lookup whose caller has left", async () => {
    const { provider, embedder } = open();
    provider.always("hang");
    const reason = new Error("its own deadline");
    for (let lookup = 0; lookup < 5; lookup += 1) {
      const controller = new AbortController();
      const left = embedder.embed([`text ${lookup}`], controller.signal, "LOOKUP");
      await new Promise((resolve) => setImmediate(resolve));
      controller.abort(reason);
      await expect(left).rejects.toBe(reason);
      await vi.advanceTimersByTimeAsync(800);
    }
    expect(await kindOf(embedder.embed(["a"], never(), "LOOKUP"))).toBe("BREAKER_OPEN");
  });

  it("opens the breaker by the retries of two writes, and says when to come back", async () => {
    const { provider, embedder } = open();
    provider.always("SERVER_ERROR");
    const ended = ["a", "b"].map(async (text) => {
      const error: unknown = await embedder.embed([text], never()).catch((reason: unknown) => reason);
      return error;
    });
    await new Promise((resolve) => setImmediate(resolve));
    await vi.runAllTimersAsync();
    await Promise.all(ended);
    const again = kindOf(embedder.embed(["c"], never()));
    await new Promise((resolve) => setImmediate(resolve));
    await vi.runAllTimersAsync();
    await again;
    expect(embedder.status().WRITE).toMatchObject({ state: "OPEN", lastFailure: "SERVER_ERROR" });
    await expect(embedder.embed(["d"], never())).rejects.toMatchObject({
      reason: "EMBEDDER_UNAVAILABLE",
      detail: { retryAfterMs: 5000 },
    });
    expect(provider.calls).toHaveLength(5);
  });

  it("gives a write half a minute, with all its attempts", async () => {
    const { provider, embedder } = open();
    provider.next(failure("RATE_LIMITED", 7000), "hang");
    const ended = kindOf(embedder.embed(["a"], never()));
    await new Promise((resolve) => setImmediate(resolve));
    await vi.advanceTimersByTimeAsync(29_999);
    expect(provider.calls).toHaveLength(2);
    await vi.advanceTimersByTimeAsync(1);
    expect(await ended).toBe("TIMEOUT");
  });

  it("leaves no timer, and no caller, when it is disposed of", async () => {
    const { provider, embedder } = open();
    provider.next("hang");
    const out = kindOf(embedder.embed(["a"], never()));
    await new Promise((resolve) => setImmediate(resolve));
    const waiting = kindOf(embedder.embed(["b"], never()));
    await embedder[Symbol.asyncDispose]();
    expect(await Promise.all([out, waiting])).toEqual(["STOPPING", "STOPPING"]);
    expect(vi.getTimerCount()).toBe(0);
  });
});
