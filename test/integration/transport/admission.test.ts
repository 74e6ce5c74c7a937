import { describe, expect, it } from "vitest";
import { refusalOf } from "../../support/errors.ts";
import { gatedEmbedder } from "../../support/gated-embedder.ts";
import { expectNoLeaks } from "../../support/leaks.ts";
import { CREATE, createRequest, RawHttp2 } from "../../support/raw-http2.ts";
import { startApp, type TestApp } from "../../support/start-app.ts";

const LIMIT = 3;

describe("admission", () => {
  function createOverHttp(app: TestApp): Promise<Response> {
    return fetch(`${app.httpUrl}${CREATE}`, {
      method: "POST",
      headers: { "content-type": "application/json", connection: "close" },
      body: '{"memory": {"text": "over HTTP"}}',
    });
  }

  async function metrics(app: TestApp): Promise<string> {
    return (await fetch(`${app.httpUrl}/metrics`, { headers: { connection: "close" } })).text();
  }

  it("runs up to the limit of calls over both transports together, and refuses the next one", async () => {
    await expectNoLeaks(async () => {
      const gate = gatedEmbedder();
      await using app = await startApp({
        overrides: { embedder: gate },
        configure: (config) => ({ ...config, limits: { ...config.limits, maxConcurrentCalls: LIMIT } }),
      });
      const running = [
        app.memory.createMemory({ memory: { text: "one" } }),
        app.memory.createMemory({ memory: { text: "two" } }),
        createOverHttp(app),
      ];
      await gate.entered(LIMIT);
      expect(await metrics(app)).toMatch(/^recollect_calls_in_flight 3$/m);

      const refusal = await refusalOf(app.memory.listMemories({}));
      expect(refusal).toMatchObject({
        code: "ResourceExhausted",
        reason: "TOO_MANY_CALLS",
        metadata: { limit: String(LIMIT) },
      });
      await using raw = new RawHttp2(app.grpcAddress);
      expect(await raw.call(CREATE, createRequest())).toMatchObject({
        reason: "TOO_MANY_CALLS",
        retryAfter: true,
      });
      const refused = await createOverHttp(app);
      expect([refused.status, await refused.json()]).toMatchObject([429, { code: "resource_exhausted" }]);

      // Probes and scrapes do not count as calls.
      const headers = { connection: "close" };
      expect((await fetch(`${app.httpUrl}/health`, { headers })).status).toBe(200);
      expect((await fetch(`${app.httpUrl}/ready`, { headers })).status).toBe(200);
      expect((await raw.call("/grpc.health.v1.Health/Check", Buffer.alloc(5))).code).toBe(0);

      gate.release();
      await Promise.all(running);
      expect((await app.memory.listMemories({})).memories).toHaveLength(LIMIT);
      const after = await metrics(app);
      expect(after).toMatch(/^recollect_calls_in_flight 0$/m);
      expect(after).toMatch(/^recollect_call_errors_total\{reason="TOO_MANY_CALLS",transport="grpc"\} 2$/m);
      expect(after).toMatch(/^recollect_call_errors_total\{reason="TOO_MANY_CALLS",transport="http"\} 1$/m);
    });
  });

  it.each(["refused", "cancelled", "failed"])("releases the slot of a call that was %s", async (how) => {
    const gate = gatedEmbedder();
    let fail = false;
    await using app = await startApp({
      overrides: {
        embedder: {
          identity: gate.identity,
          embed: (texts, signal) => (fail ? Promise.reject(new Error("broken")) : gate.embed(texts, signal)),
        },
      },
      configure: (config) => ({ ...config, limits: { ...config.limits, maxConcurrentCalls: 1 } }),
    });
    if (how === "refused") await refusalOf(app.memory.createMemory({ memory: { text: "" } }));
    if (how === "failed") {
      fail = true;
      await refusalOf(app.memory.createMemory({ memory: { text: "x" } }));
    }
    if (how === "cancelled") {
      const caller = new AbortController();
      const call = refusalOf(app.memory.createMemory({ memory: { text: "x" } }, { signal: caller.signal }));
      await gate.entered(1);
      caller.abort();
      await call;
      const [signal] = gate.signals;
      if (signal !== undefined && !signal.aborted) {
        await new Promise((resolve) => signal.addEventListener("abort", resolve, { once: true }));
      }
      // The slot is released when the handler has ended, some ticks of the event loop after its signal.
      await new Promise<void>((resolve) => setImmediate(resolve));
    }
    expect((await app.memory.listMemories({})).memories).toEqual([]);
  });
});
