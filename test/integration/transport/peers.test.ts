import * as http2 from "node:http2";
import { create, toBinary } from "@bufbuild/protobuf";
import { createClient } from "@connectrpc/connect";
import { createGrpcTransport } from "@connectrpc/connect-node";
import { describe, expect, it } from "vitest";
import { ImportMemoriesRequestSchema, MemoryService } from "#gen/recollect/v1/memory_pb.js";
import { RecollectError } from "../../../src/domain/errors.ts";
import { serve } from "../../../src/transport/handler.ts";
import { refusalOf } from "../../support/errors.ts";
import { gatedEmbedder } from "../../support/gated-embedder.ts";
import { expectNoLeaks, openOnServers, until } from "../../support/leaks.ts";
import {
  CREATE,
  connectTcp,
  createRequest,
  frame,
  http2Frame,
  LIST,
  listRequest,
  outcomeOf,
  RawHttp2,
} from "../../support/raw-http2.ts";
import { startApp, withLimits } from "../../support/start-app.ts";
import { startGrpcServer } from "../../support/start-grpc-server.ts";

const DEADLINE_EXCEEDED = 4;
const RESOURCE_EXHAUSTED = 8;
const MIB = 1024 * 1024;

const HEADERS = 1;
const RST_STREAM = 3;
const SETTINGS = 4;
const END_HEADERS = 4;
/** `:method: POST`, `:scheme: http`, `:path: /` of HPACK's static table. */
const POST_TO_ROOT = Buffer.from([0x83, 0x86, 0x84]);

function end(socket: NodeJS.EventEmitter): Promise<void> {
  return new Promise((resolve) => socket.once("close", () => resolve()));
}

describe("a stalled peer", () => {
  it("that never sends the HTTP/2 preface, or nothing after it, is disconnected", async () => {
    await expectNoLeaks(async () => {
      await using app = await startApp({ configure: withLimits({ connectionIdleMs: 500 }) });
      const mute = await connectTcp(app.grpcAddress);
      const preface = await connectTcp(app.grpcAddress);
      preface.write("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n");
      // Peers that do not read never see the close: the server does not wait for theirs.
      expect(await until(() => openOnServers().connections === 2)).toBe(true);
      while (openOnServers().connections > 0) await new Promise((resolve) => setImmediate(resolve));
      await using raw = new RawHttp2(app.grpcAddress);
      expect((await raw.call(LIST, listRequest())).code).toBe(0);
      mute.destroy();
      preface.destroy();
      await end(preface);
    });
  });

  it("that opens streams and sends no message does not exhaust the limit of calls", async () => {
    await expectNoLeaks(async () => {
      await using app = await startApp({ configure: withLimits({ maxConcurrentCalls: 1 }) });
      await using raw = new RawHttp2(app.grpcAddress);
      const streams = Array.from({ length: 50 }, () => raw.open(CREATE));
      const patient = outcomeOf(raw.open(CREATE, { "grpc-timeout": "50m" }));
      expect(await patient).toMatchObject({ code: DEADLINE_EXCEEDED, reason: "DEADLINE_EXCEEDED" });
      expect((await raw.call(LIST, listRequest())).code).toBe(0);
      const outcomes = streams.map(outcomeOf);
      for (const stream of streams) stream.close(http2.constants.NGHTTP2_CANCEL);
      await Promise.all(outcomes);
      expect((await app.memory.listMemories({})).memories).toEqual([]);
    });
  });

  it("that never reads its responses does not delay other peers", async () => {
    await expectNoLeaks(async () => {
      await using app = await startApp({ configure: withLimits({ drainMs: 50 }) });
      for (let count = 0; count < 4; count += 1) {
        await app.memory.createMemory({ memory: { text: `${count}${"x".repeat(60_000)}` } });
      }
      const deaf = new RawHttp2(app.grpcAddress, { settings: { initialWindowSize: 0 } });
      const streams = Array.from({ length: 40 }, () => deaf.open(LIST).end(listRequest()));
      const headers = streams.map((stream) => new Promise((resolve) => stream.once("response", resolve)));
      await Promise.all(headers);
      expect((await app.memory.listMemories({})).memories).toHaveLength(4);
      await app.stop();
      await deaf[Symbol.asyncDispose]();
    });
  });

  it("over HTTP that does not finish its headers is answered 408, and one that does not finish its body RECEIVE_TIMEOUT", async () => {
    await expectNoLeaks(async () => {
      await using app = await startApp({
        configure: withLimits({ httpHeadersMs: 100, requestReceiveMs: 100 }),
      });
      const address = app.httpUrl.replace("http://", "");
      const halfHeaders = await connectTcp(address);
      halfHeaders.write("GET /health HTTP/1.1\r\nho");
      const halfBody = await connectTcp(address);
      halfBody.write(
        `POST ${CREATE} HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length: 50\r\n\r\n{`,
      );
      const answers = [halfHeaders, halfBody].map(async (socket) => {
        let answer = "";
        socket.on("data", (chunk: Buffer) => {
          answer += chunk.toString();
        });
        await end(socket);
        return answer;
      });
      expect(await Promise.all(answers)).toEqual([
        expect.stringMatching(/^HTTP\/1.1 408 /),
        expect.stringMatching(/^HTTP\/1.1 504 .*RECEIVE_TIMEOUT/s),
      ]);
      expect((await fetch(`${app.httpUrl}/health`, { headers: { connection: "close" } })).status).toBe(200);
    });
  });
});

describe("resets", () => {
  it("in a flood close that connection and no other, and leak nothing", async () => {
    await expectNoLeaks(async () => {
      await using app = await startApp();
      await using honest = new RawHttp2(app.grpcAddress);
      expect((await honest.call(LIST, listRequest())).code).toBe(0);
      const flood = await connectTcp(app.grpcAddress);
      const ended = end(flood);
      flood.resume();
      flood.write(
        Buffer.concat([
          Buffer.from("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"),
          http2Frame(SETTINGS, 0, Buffer.alloc(0)),
        ]),
      );
      // Headers and a reset at once, as in CVE-2023-44487, until the server closes the connection.
      let id = -1;
      const send = (): void => {
        const frames: Buffer[] = [];
        for (let count = 0; count < 500; count += 1) {
          id += 2;
          frames.push(
            http2Frame(HEADERS, id, POST_TO_ROOT, END_HEADERS),
            http2Frame(RST_STREAM, id, Buffer.from([0, 0, 0, 8])),
          );
        }
        if (!flood.destroyed) flood.write(Buffer.concat(frames), () => setImmediate(send));
      };
      send();
      expect((await honest.call(LIST, listRequest())).code).toBe(0);
      await ended;
      expect((await honest.call(LIST, listRequest())).code).toBe(0);
      expect((await app.memory.listMemories({})).memories).toEqual([]);
    });
  });

  it("of calls past their deadline do not close the connection of an honest client", async () => {
    await expectNoLeaks(async () => {
      const gate = gatedEmbedder();
      await using app = await startApp({ overrides: { embedder: gate } });
      await using raw = new RawHttp2(app.grpcAddress);
      const long = raw.call(CREATE, createRequest("outlives them all"));
      await gate.entered(1);
      // More than Node's default of 1,000; the client resets each call at its deadline.
      for (let round = 0; round < 30; round += 1) {
        const calls = Array.from({ length: 100 }, () => {
          const stream = raw.open(CREATE);
          const outcome = outcomeOf(stream);
          stream.end(createRequest());
          return { stream, outcome };
        });
        await gate.entered(1 + 100 * (round + 1));
        for (const { stream } of calls) stream.close(http2.constants.NGHTTP2_CANCEL);
        await Promise.all(calls.map(({ outcome }) => outcome));
      }
      gate.release();
      expect((await long).code).toBe(0);
      expect((await raw.call(LIST, listRequest())).code).toBe(0);
    });
  });
});

describe("a request over the limit", () => {
  it("is refused with its reason to a Node client that still has more than 10 MB to send", async () => {
    await using app = await startApp();
    // A client with the default session memory of Node, 10 MB.
    const client = createClient(MemoryService, createGrpcTransport({ baseUrl: `http://${app.grpcAddress}` }));
    const refusal = await refusalOf(client.createMemory({ memory: { text: "x".repeat(17 * MIB) } }));
    expect(refusal).toMatchObject({
      code: "ResourceExhausted",
      reason: "REQUEST_TOO_LARGE",
      metadata: { max_bytes: String(16 * MIB) },
    });
    expect((await app.memory.listMemories({})).memories).toEqual([]);
  });

  it("that never ends is refused before its end", async () => {
    await expectNoLeaks(async () => {
      await using app = await startApp();
      await using raw = new RawHttp2(app.grpcAddress);
      const stream = raw.open(CREATE);
      const outcome = outcomeOf(stream);
      let answered = false;
      stream.once("response", () => {
        answered = true;
        stream.end();
      });
      const head = Buffer.alloc(5);
      head.writeUInt32BE(2 ** 32 - 1, 1);
      stream.write(head);
      const chunk = Buffer.alloc(64 * 1024);
      let sent = 0;
      while (!answered && sent < 200 * MIB) {
        sent += chunk.byteLength;
        await new Promise((resolve) => stream.write(chunk, resolve));
      }
      expect(await outcome).toMatchObject({ code: RESOURCE_EXHAUSTED, reason: "REQUEST_TOO_LARGE" });
      expect(sent).toBeLessThan(64 * MIB);
      expect((await raw.call(LIST, listRequest())).code).toBe(0);
    });
  });

  it("is refused at its deadline when no more data arrives", async () => {
    await using app = await startApp();
    await using raw = new RawHttp2(app.grpcAddress);
    const stream = raw.open(CREATE, { "grpc-timeout": "50m" });
    const outcome = outcomeOf(stream);
    const head = Buffer.alloc(5);
    head.writeUInt32BE(17 * MIB, 1);
    stream.write(head);
    stream.once("response", () => stream.end());
    expect(await outcome).toMatchObject({ code: DEADLINE_EXCEEDED, reason: "DEADLINE_EXCEEDED" });
    expect((await raw.call(LIST, listRequest())).code).toBe(0);
  });
});

describe("a fast writer to a stream", () => {
  const IMPORT = "/recollect.v1.MemoryService/ImportMemories";

  it("gets backpressure while the handler is busy, and the status when the handler returns early", async () => {
    await expectNoLeaks(async () => {
      const gate = Promise.withResolvers<void>();
      const service = serve(MemoryService, {
        importMemories: async function* (requests) {
          for await (const { sequence } of requests) {
            yield { sequence };
            await gate.promise;
            throw new RecollectError("STORE_FULL", "the disk is full");
          }
        },
      });
      await using server = await startGrpcServer([service]);
      await using raw = new RawHttp2(server.address);
      const stream = raw.open(IMPORT);
      const outcome = outcomeOf(stream);
      const message = frame(
        toBinary(
          ImportMemoriesRequestSchema,
          create(ImportMemoriesRequestSchema, {
            sequence: 1,
            memories: [{ text: "x".repeat(32 * 1024) }],
          }),
        ),
      );
      let taken = 0;
      // One by one, because messages that are written together are read together.
      const write = (): void => {
        stream.write(message, () => {
          taken += 1;
          if (taken < 200) write();
        });
      };
      write();
      let before = -1;
      while (before !== taken) {
        before = taken;
        for (let call = 0; call < 20; call += 1) await raw.call(LIST, listRequest());
      }
      expect(taken).toBeLessThan(10);
      gate.resolve();
      // As clients do when they get the status with unsent data.
      stream.once("end", () => stream.close(http2.constants.NGHTTP2_CANCEL));
      expect(await outcome).toMatchObject({ reason: "STORE_FULL", body: frame(Buffer.from([0x08, 1])) });
    });
  });
});

describe("a slow reader of a stream", () => {
  const EXPORT = "/recollect.v1.MemoryService/ExportMemories";
  const KIB_64 = Buffer.alloc(64 * 1024, "x").toString();

  function endless(finished: () => void) {
    const made = { count: 0 };
    const service = serve(MemoryService, {
      exportMemories: async function* () {
        try {
          for (;;) {
            made.count += 1;
            yield { memory: { text: KIB_64 } };
          }
        } finally {
          finished();
        }
      },
    });
    return { made, service };
  }

  it("pauses the generator, and ends it by disconnecting", async () => {
    await expectNoLeaks(async () => {
      const finished = Promise.withResolvers<void>();
      const { made, service } = endless(finished.resolve);
      await using server = await startGrpcServer([service]);
      await using raw = new RawHttp2(server.address);
      const stream = raw.open(EXPORT);
      stream.end(frame(Buffer.alloc(0)));
      await new Promise((resolve) => stream.once("response", resolve));
      stream.pause();
      // Other streams of the connection work, and the generator produces no more than the buffers in between can store.
      let before = -1;
      let calls = 1;
      while (before !== made.count) {
        before = made.count;
        for (let call = 0; call < 20; call += 1) await raw.call(LIST, listRequest());
        calls += 20;
      }
      expect(made.count).toBeLessThan(10);
      const closed = outcomeOf(stream);
      stream.close(http2.constants.NGHTTP2_CANCEL);
      await closed;
      await finished.promise;
      await server.finished(calls);
      expect(server.outcomes.map(({ status }) => status?.reason)).toContain("CALL_CANCELLED");
    });
  });

  it("gets all messages in order when it resumes reading", async () => {
    const service = serve(MemoryService, {
      exportMemories: async function* () {
        for (let part = 0; part < 50; part += 1) yield { memory: { text: KIB_64 } };
      },
    });
    await using server = await startGrpcServer([service]);
    await using raw = new RawHttp2(server.address);
    const stream = raw.open(EXPORT);
    stream.end(frame(Buffer.alloc(0)));
    await new Promise((resolve) => stream.once("response", resolve));
    stream.pause();
    for (let call = 0; call < 20; call += 1) await raw.call(LIST, listRequest());
    const reading = outcomeOf(stream);
    stream.resume();
    const outcome = await reading;
    expect(outcome.code).toBe(0);
    expect(outcome.body.byteLength).toBeGreaterThan(50 * KIB_64.length);
  });

  it("at its deadline ends the generator", async () => {
    const finished = Promise.withResolvers<void>();
    const { service } = endless(finished.resolve);
    await using server = await startGrpcServer([service]);
    await using raw = new RawHttp2(server.address, { settings: { initialWindowSize: 0 } });
    const stream = raw.open(EXPORT, { "grpc-timeout": "50m" });
    stream.end(frame(Buffer.alloc(0)));
    await finished.promise;
    await server.finished(1);
    expect(server.outcomes[0]?.status?.reason).toBe("DEADLINE_EXCEEDED");
  });
});
