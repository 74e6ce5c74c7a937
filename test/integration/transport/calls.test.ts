import * as grpc from "@grpc/grpc-js";
import { describe, expect, it } from "vitest";
import { refusalOf } from "../../support/errors.ts";
import { abortion, gatedEmbedder } from "../../support/gated-embedder.ts";
import { expectNoLeaks, openOnServers, until } from "../../support/leaks.ts";
import { RawGrpc } from "../../support/raw-grpc.ts";
import {
  CREATE,
  connectTcp,
  createRequest,
  LIST,
  listRequest,
  outcomeOf,
  RawHttp2,
} from "../../support/raw-http2.ts";
import { startApp, type TestApp } from "../../support/start-app.ts";

const DEADLINE_EXCEEDED = 4;

function post(app: TestApp, headers: Record<string, string>, signal?: AbortSignal): Promise<Response> {
  return fetch(`${app.httpUrl}${CREATE}`, {
    method: "POST",
    headers: { "content-type": "application/json", connection: "close", ...headers },
    body: '{"memory": {"text": "x"}}',
    ...(signal === undefined ? {} : { signal }),
  });
}

describe("a deadline", () => {
  it("is reported with its reason, and ends the work", async () => {
    await expectNoLeaks(async () => {
      const gate = gatedEmbedder();
      await using app = await startApp({ overrides: { embedder: gate } });
      await using raw = new RawHttp2(app.grpcAddress);
      const outcome = await raw.call(CREATE, createRequest(), { "grpc-timeout": "100m" });
      expect(outcome).toMatchObject({ code: DEADLINE_EXCEEDED, reason: "DEADLINE_EXCEEDED", metadata: {} });
      const [signal = new AbortController().signal] = gate.signals;
      await abortion(signal);
      expect(signal.reason).toMatchObject({ reason: "DEADLINE_EXCEEDED" });
      expect((await raw.call(LIST, listRequest())).code).toBe(0);
    });
  });

  it("is enforced for a handler that ignores its signal, and counted once", async () => {
    const gate = gatedEmbedder({ deaf: true });
    await using app = await startApp({ overrides: { embedder: gate } });
    await using raw = new RawHttp2(app.grpcAddress);
    const outcome = await raw.call(CREATE, createRequest(), { "grpc-timeout": "50m" });
    expect(outcome).toMatchObject({ code: DEADLINE_EXCEEDED, reason: "DEADLINE_EXCEEDED" });
    gate.release();
    const counted = /^recollect_call_errors_total\{reason="DEADLINE_EXCEEDED",transport="grpc"\} 1$/m;
    let metrics = "";
    // The handler runs for a while after its caller has the response.
    for (let scrape = 0; scrape < 100 && !counted.test(metrics); scrape += 1) {
      metrics = await (await fetch(`${app.httpUrl}/metrics`)).text();
    }
    expect(metrics).toMatch(counted);
    expect(metrics).not.toMatch(/CreateMemory",rpc_response_status_code="OK"/);
  });

  it("of zero ends a pending call", async () => {
    await using app = await startApp({ overrides: { embedder: gatedEmbedder() } });
    await using raw = new RawHttp2(app.grpcAddress);
    const outcome = await raw.call(CREATE, createRequest(), { "grpc-timeout": "0n" });
    expect(outcome).toMatchObject({ code: DEADLINE_EXCEEDED, reason: "DEADLINE_EXCEEDED" });
    expect((await raw.call(LIST, listRequest())).code).toBe(0);
  });

  it.each(["abc", "1", "S", ""])("that is invalid is refused: %j", async (timeout) => {
    await using app = await startApp();
    await using raw = new RawHttp2(app.grpcAddress);
    const outcome = await raw.call(LIST, listRequest(), { "grpc-timeout": timeout });
    expect(outcome).toMatchObject({ code: 3, reason: "REQUEST_MALFORMED" });
    // An unknown path does not become a metric label.
    await raw.call("/made/Up", listRequest(), { "grpc-timeout": timeout });
    expect(await (await fetch(`${app.httpUrl}/metrics`)).text()).not.toContain("made/Up");
  });

  it.each(["99999999H", "2147484S", "4294967S", "4294968S", "1194H", "35792M", "99999999S"])(
    "beyond the range of a timer is ignored: %s",
    async (timeout) => {
      const gate = gatedEmbedder();
      await using app = await startApp({ overrides: { embedder: gate } });
      await using raw = new RawHttp2(app.grpcAddress);
      const call = raw.call(CREATE, createRequest(), { "grpc-timeout": timeout });
      await gate.entered(1);
      // An overflowed timer would have fired before the response of this call.
      expect((await raw.call(LIST, listRequest())).code).toBe(0);
      gate.release();
      expect((await call).code).toBe(0);
    },
  );

  it("over HTTP is reported with its reason, and ends the work", async () => {
    await expectNoLeaks(async () => {
      const gate = gatedEmbedder();
      await using app = await startApp({ overrides: { embedder: gate } });
      const response = await post(app, { "connect-timeout-ms": "100" });
      expect(await response.json()).toMatchObject({ code: "deadline_exceeded", details: [{}] });
      expect(gate.signals[0]?.reason).toMatchObject({ reason: "DEADLINE_EXCEEDED" });
    });
  });

  it.each(["2147483648", "9999999999"])(
    "over HTTP beyond the range of a timer is ignored: %s",
    async (ms) => {
      const gate = gatedEmbedder();
      await using app = await startApp({ overrides: { embedder: gate } });
      const call = post(app, { "connect-timeout-ms": ms });
      await gate.entered(1);
      expect((await fetch(`${app.httpUrl}/health`)).status).toBe(200);
      gate.release();
      expect((await call).status).toBe(200);
    },
  );
});

describe("a caller that disconnects or cancels", () => {
  it("ends the work of the call that it cancels", async () => {
    await expectNoLeaks(async () => {
      const gate = gatedEmbedder();
      await using app = await startApp({ overrides: { embedder: gate } });
      await using raw = new RawHttp2(app.grpcAddress);
      const stream = raw.open(CREATE);
      const outcome = outcomeOf(stream);
      stream.end(createRequest());
      await gate.entered(1);
      stream.close(grpc.status.CANCELLED);
      await outcome;
      const [signal = new AbortController().signal] = gate.signals;
      await abortion(signal);
      expect(signal.reason).toMatchObject({ reason: "CALL_CANCELLED" });
      expect((await raw.call(LIST, listRequest())).code).toBe(0);
      expect(await until(() => openOnServers().streams === 0)).toBe(true);
    });
  });

  it("ends the work of all calls of a closed connection", async () => {
    await expectNoLeaks(async () => {
      const gate = gatedEmbedder();
      await using app = await startApp({ overrides: { embedder: gate } });
      const raw = new RawHttp2(app.grpcAddress);
      const calls = Array.from({ length: 20 }, () => raw.call(CREATE, createRequest()));
      await gate.entered(20);
      await raw[Symbol.asyncDispose]();
      await Promise.all(calls);
      await Promise.all(gate.signals.map(abortion));
      for (const signal of gate.signals) expect(signal.reason).toMatchObject({ reason: "CALL_CANCELLED" });
      expect((await app.memory.listMemories({})).memories).toEqual([]);
    });
  });

  it("over HTTP ends the work too", async () => {
    await expectNoLeaks(async () => {
      const gate = gatedEmbedder();
      await using app = await startApp({ overrides: { embedder: gate } });
      const socket = await connectTcp(app.httpUrl.replace("http://", ""));
      const body = '{"memory": {"text": "x"}}';
      socket.write(
        `POST ${CREATE} HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length: ${body.length}\r\n\r\n${body}`,
      );
      await gate.entered(1);
      socket.destroy();
      const [signal = new AbortController().signal] = gate.signals;
      await abortion(signal);
      expect(signal.reason).toMatchObject({ reason: "CALL_CANCELLED" });
      expect((await app.memory.listMemories({})).memories).toEqual([]);
    });
  });

  it("is not counted as a server error", async () => {
    const gate = gatedEmbedder();
    await using app = await startApp({ overrides: { embedder: gate } });
    using client = new RawGrpc(app.grpcAddress);
    const deadline = new Date(Date.now() + 100);
    const outcome = await client.unary(CREATE, createRequest().subarray(5), { deadline });
    expect(outcome.code).toBe(DEADLINE_EXCEEDED);
    await Promise.all(gate.signals.map(abortion));
    expect(await refusalOf(app.memory.getMemory({ id: "x" }))).toMatchObject({ reason: "MEMORY_NOT_FOUND" });
    expect(await (await fetch(`${app.httpUrl}/metrics`)).text()).not.toContain('reason="INTERNAL"');
  });
});
