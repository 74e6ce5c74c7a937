import * as http2 from "node:http2";
import { describe, expect, it } from "vitest";
import { MemoryService } from "#gen/recollect/v1/memory_pb.js";
import { serve } from "../../../src/transport/handler.ts";
import { abortion, gatedEmbedder } from "../../support/gated-embedder.ts";
import { expectNoLeaks } from "../../support/leaks.ts";
import {
  CREATE,
  connectTcp,
  createRequest,
  frame,
  LIST,
  listRequest,
  outcomeOf,
  RawHttp2,
} from "../../support/raw-http2.ts";
import { startApp, withLimits } from "../../support/start-app.ts";
import { startGrpcServer } from "../../support/start-grpc-server.ts";

const UNAVAILABLE = 14;
const NEVER_MS = 3_600_000;

function end(socket: NodeJS.EventEmitter): Promise<void> {
  return new Promise((resolve) => socket.once("close", () => resolve()));
}

describe("a server stop", () => {
  it("reports NOT_SERVING first, completes calls in flight, and accepts no new ones", async () => {
    await expectNoLeaks(async () => {
      const gate = gatedEmbedder();
      await using app = await startApp({
        overrides: { embedder: gate },
        configure: withLimits({ drainMs: NEVER_MS }),
      });
      const watching = new RawHttp2(app.grpcAddress);
      const states: number[] = [];
      const watch = watching.open("/grpc.health.v1.Health/Watch");
      const watched = outcomeOf(watch);
      watch.on("data", (message: Buffer) => states.push(message[6] ?? 0));
      watch.end(Buffer.alloc(5));
      await new Promise((resolve) => watch.once("data", resolve));

      await using raw = new RawHttp2(app.grpcAddress);
      const call = raw.call(CREATE, createRequest());
      const overHttp = fetch(`${app.httpUrl}${CREATE}`, {
        method: "POST",
        headers: { "content-type": "application/json" },
        body: '{"memory": {"text": "over HTTP"}}',
      });
      await gate.entered(2);
      const goaway = new Promise((resolve) => raw.session.once("goaway", resolve));
      const stopped = app.stop();

      // SERVING, then NOT_SERVING; then the watch ends with SERVER_STOPPING.
      expect(await watched).toMatchObject({ code: UNAVAILABLE, reason: "SERVER_STOPPING", retryAfter: true });
      expect(states).toEqual([1, 2]);
      await goaway;
      expect((await raw.call(LIST, listRequest())).code).toBeUndefined();
      await using late = new RawHttp2(app.grpcAddress);
      await new Promise((resolve) => late.session.once("error", resolve));
      await expect(fetch(`${app.httpUrl}/health`)).rejects.toThrow();
      expect(gate.signals.some(({ aborted }) => aborted)).toBe(false);

      gate.release();
      expect((await call).code).toBe(0);
      expect((await overHttp).status).toBe(200);
      await stopped;
      await watching[Symbol.asyncDispose]();
    });
  });

  it("cancels calls that continue after the drain, also those that ignore their signal", async () => {
    await expectNoLeaks(async () => {
      const gate = gatedEmbedder({ deaf: true });
      await using app = await startApp({
        overrides: { embedder: gate },
        configure: withLimits({ drainMs: 50 }),
      });
      await using raw = new RawHttp2(app.grpcAddress);
      const call = raw.call(CREATE, createRequest());
      const overHttp = fetch(`${app.httpUrl}${CREATE}`, {
        method: "POST",
        headers: { "content-type": "application/json" },
        body: '{"memory": {"text": "over HTTP"}}',
      });
      const lost = expect(overHttp).rejects.toThrow();
      await gate.entered(2);
      await app.stop();
      expect((await call).code).toBeUndefined();
      await lost;
      await Promise.all(gate.signals.map(abortion));
      gate.release();
    });
  });

  it.each([0, 50])(
    "does not wait for peers that have only connected, and only briefly for silent ones: %i ms",
    async (drainMs) => {
      await expectNoLeaks(async () => {
        await using app = await startApp({ configure: withLimits({ drainMs }) });
        const mute = await connectTcp(app.grpcAddress);
        const preface = await connectTcp(app.grpcAddress);
        preface.write("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n");
        await using raw = new RawHttp2(app.grpcAddress);
        const stream = raw.open(CREATE);
        stream.write(createRequest().subarray(0, 3));
        // Answered after the incomplete request has arrived, on the same connection.
        expect((await raw.call(LIST, listRequest())).code).toBe(0);
        const ends = [end(mute), end(preface), end(stream)];
        await app.stop();
        mute.destroy();
        preface.destroy();
        await Promise.all(ends);
      });
    },
  );

  it("does not wait at all for HTTP connections without a request", async () => {
    await expectNoLeaks(async () => {
      await using app = await startApp({ configure: withLimits({ drainMs: NEVER_MS }) });
      const address = app.httpUrl.replace("http://", "");
      const mute = await connectTcp(address);
      const half = await connectTcp(address);
      half.write("GET /health HTTP/1.1\r\nho");
      const used = await connectTcp(address);
      used.write("GET /health HTTP/1.1\r\nhost: x\r\n\r\n");
      await new Promise((resolve) => used.once("data", resolve));
      const ends = [end(mute), end(half), end(used)];
      await app.stop();
      await Promise.all(ends);
    });
  });

  it("ends streams with SERVER_STOPPING", async () => {
    await expectNoLeaks(async () => {
      const finished = Promise.withResolvers<void>();
      const services = [
        serve(MemoryService, {
          exportMemories: async function* (_request, { signal }) {
            try {
              yield {};
              await abortion(signal);
              signal.throwIfAborted();
            } finally {
              finished.resolve();
            }
          },
        }),
      ];
      await using server = await startGrpcServer(services);
      await using raw = new RawHttp2(server.address);
      const stream = raw.open("/recollect.v1.MemoryService/ExportMemories");
      const outcome = outcomeOf(stream);
      stream.end(frame(Buffer.alloc(0)));
      await new Promise((resolve) => stream.once("data", resolve));
      await server.grpc.stop(new AbortController().signal);
      await finished.promise;
      expect(await outcome).toMatchObject({ code: UNAVAILABLE, reason: "SERVER_STOPPING", retryAfter: true });
    });
  });

  it("ends open reflection streams", async () => {
    await expectNoLeaks(async () => {
      await using app = await startApp({ configure: withLimits({ drainMs: NEVER_MS }) });
      await using raw = new RawHttp2(app.grpcAddress);
      const stream = raw.open("/grpc.reflection.v1.ServerReflection/ServerReflectionInfo");
      const outcome = outcomeOf(stream);
      // As clients do after the status.
      stream.once("end", () => stream.end());
      // list_services: field 7, a string.
      stream.write(frame(Buffer.from([(7 << 3) | 2, 0])));
      await new Promise((resolve) => stream.once("data", resolve));
      await app.stop();
      expect(await outcome).toMatchObject({ code: UNAVAILABLE, reason: "SERVER_STOPPING" });
      expect(stream.rstCode).toBe(http2.constants.NGHTTP2_NO_ERROR);
    });
  });
});
