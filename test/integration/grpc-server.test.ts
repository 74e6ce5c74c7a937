import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { Embedder } from "../../src/ports/embedding/embedder.ts";
import { refusalOf } from "../support/errors.ts";
import { healthOf } from "../support/health.ts";
import { startApp, type TestApp } from "../support/start-app.ts";

describe("the gRPC server", () => {
  let app: TestApp;
  beforeAll(async () => {
    app = await startApp();
  });
  afterAll(async () => {
    await app[Symbol.asyncDispose]();
  });

  it.each(["", "recollect.v1.MemoryService", "recollect.v1.CacheService", "recollect.v1.CompactionService"])(
    "reports %j as serving",
    async (service) => {
      const status = await healthOf(app.grpcAddress, service);
      expect(status).toBe("SERVING");
    },
  );

  it("hides the cause of an internal error", async () => {
    const broken: Embedder = {
      identity: { provider: "hashing", model: "broken", dimension: 384 },
      embed: () => Promise.reject(new Error("secret of the inside")),
    };
    await using failing = await startApp({ overrides: { embedder: broken } });
    const call = failing.memory.createMemory({ memory: { text: "x" } });
    await expect(call).rejects.toThrow(/internal error$/);
    const refusal = await refusalOf(failing.memory.createMemory({ memory: { text: "x" } }));
    expect(refusal).toMatchObject({ code: "Internal", reason: "INTERNAL" });
    expect(refusal.metadata["call_id"]).toMatch(/^[0-9a-f-]{36}$/);
    expect((await failing.memory.listMemories({})).memories).toEqual([]);
  });

  it("stops the work of a cancelled call", async () => {
    const seen = Promise.withResolvers<AbortSignal>();
    const aborted = Promise.withResolvers<void>();
    const waiting: Embedder = {
      identity: { provider: "hashing", model: "waiting", dimension: 384 },
      embed: (_, signal) => {
        seen.resolve(signal);
        return new Promise((_resolve, reject) => {
          signal.addEventListener("abort", () => {
            aborted.resolve();
            reject(signal.reason);
          });
        });
      },
    };
    await using slow = await startApp({ overrides: { embedder: waiting } });
    const caller = new AbortController();
    const call = refusalOf(slow.memory.createMemory({ memory: { text: "x" } }, { signal: caller.signal }));
    expect((await seen.promise).aborted).toBe(false);
    caller.abort();
    expect(await call).toMatchObject({ code: "Canceled" });
    await aborted.promise;
    expect((await seen.promise).reason).toMatchObject({ reason: "CALL_CANCELLED" });
  });

  it("completes a call in flight when it stops", async () => {
    const entered = Promise.withResolvers<void>();
    const release = Promise.withResolvers<void>();
    const gated: Embedder = {
      identity: { provider: "hashing", model: "gated", dimension: 2 },
      embed: async (texts) => {
        entered.resolve();
        await release.promise;
        return texts.map(() => ({ vector: Float32Array.of(1, 0), truncated: false }));
      },
    };
    await using draining = await startApp({ overrides: { embedder: gated } });
    const call = draining.memory.createMemory({ memory: { text: "in flight" } });
    await entered.promise;
    const stopped = draining.stop();
    release.resolve();
    expect((await call).memory?.text).toBe("in flight");
    await stopped;
  });
});
