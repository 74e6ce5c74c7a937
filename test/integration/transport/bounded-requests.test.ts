import { once } from "node:events";
import type { ClientHttp2Stream } from "node:http2";
import { gzipSync } from "node:zlib";
import { create, toBinary } from "@bufbuild/protobuf";
import { describe, expect, it } from "vitest";
import { ImportMemoriesRequestSchema } from "#gen/recollect/v1/memory_pb.js";
import type { Limits } from "../../../src/config/config.ts";
import { testKey } from "../../support/api-keys.ts";
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
import { startApp, type TestAppOptions } from "../../support/start-app.ts";

const IMPORT = "/recollect.v1.MemoryService/ImportMemories";
const EXPORT = "/recollect.v1.MemoryService/ExportMemories";
const MIB = 1024 * 1024;

const A = testKey({ tenant: "a", principal: "app" });
const B = testKey({ tenant: "b", principal: "app" });

function limited(limits: Partial<Limits>): TestAppOptions {
  return {
    apiKeys: [A, B],
    configure: (config) => ({ ...config, limits: { ...config.limits, ...limits } }),
  };
}

const by = ({ key }: { readonly key: string }) => ({ authorization: `Bearer ${key}` });

/** The prefix of a message of 15 MiB, and a first part of it. */
function beginning(bytes: number): Buffer {
  const head = Buffer.alloc(5 + bytes);
  head.writeUInt32BE(15 * MIB, 1);
  return head;
}

/** Writes, and resolves when the bytes have been sent. */
function write(stream: ClientHttp2Stream, bytes: Buffer): Promise<void> {
  return new Promise((resolve) => {
    stream.write(bytes, () => resolve());
  });
}

/** Resolves when the server has answered another call of this connection, and so has processed all data before it. */
async function seen(raw: RawHttp2, key = A): Promise<void> {
  expect((await raw.call(LIST, listRequest(), by(key))).code).toBe(0);
}

describe("an unknown caller", () => {
  it("is refused by its headers", async () => {
    await expectNoLeaks(async () => {
      await using app = await startApp(limited({}));
      await using raw = new RawHttp2(app.grpcAddress);
      for (const path of [CREATE, IMPORT, EXPORT]) {
        const stream = raw.open(path);
        const outcome = outcomeOf(stream);
        await write(stream, beginning(0));
        // No more data and no end is sent: the response waits for neither.
        expect(await outcome).toMatchObject({ code: 16, reason: "CREDENTIAL_INVALID" });
      }
      await seen(raw);
    });
  });

  it("is refused over HTTP before its body has been read", async () => {
    await using app = await startApp(limited({}));
    const socket = await connectTcp(app.httpUrl.replace("http://", ""));
    socket.write(
      `POST ${CREATE} HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length: 1000000\r\n\r\n{`,
    );
    const [answer] = (await once(socket, "data")) as [Buffer];
    expect(answer.toString()).toMatch(/^HTTP\/1.1 401 /);
    socket.destroy();
  });
});

describe("incomplete requests", () => {
  it("are bounded per connection; other connections are not affected", async () => {
    await expectNoLeaks(async () => {
      await using app = await startApp(limited({ maxUnfinishedBytesPerConnection: 100_000 }));
      await using raw = new RawHttp2(app.grpcAddress);
      const held = raw.open(CREATE, by(A));
      await write(held, beginning(60_000));
      await seen(raw);
      const refused = raw.open(CREATE, by(A));
      const outcome = outcomeOf(refused);
      await write(refused, beginning(60_000));
      expect(await outcome).toMatchObject({
        code: 8,
        reason: "TOO_MANY_UNFINISHED_REQUESTS",
        metadata: { scope: "connection", max_bytes: "100000" },
        retryAfter: true,
      });
      await using other = new RawHttp2(app.grpcAddress);
      expect((await other.call(CREATE, createRequest("x".repeat(60_000)), by(A))).code).toBe(0);
      // The bytes are released when the request ends.
      const closed = outcomeOf(held);
      held.close();
      await closed;
      expect((await raw.call(CREATE, createRequest("y".repeat(60_000)), by(A))).code).toBe(0);
    });
  });

  it("of one credential are ended in favour of another below its share", async () => {
    await expectNoLeaks(async () => {
      await using app = await startApp(limited({ maxUnfinishedBytes: 100_000 }));
      await using raw = new RawHttp2(app.grpcAddress);
      // One credential alone may take all.
      const held = [raw.open(CREATE, by(A)), raw.open(CREATE, by(A))] as const;
      const outcomes = held.map(outcomeOf);
      await write(held[0], beginning(30_000));
      await write(held[1], beginning(60_000));
      await seen(raw);
      const own = raw.open(CREATE, by(A));
      const ownOutcome = outcomeOf(own);
      await write(own, beginning(40_000));
      expect(await ownOutcome).toMatchObject({ reason: "TOO_MANY_UNFINISHED_REQUESTS" });
      // Another credential on the same connection is served, and the largest request of the first one is ended for it.
      expect((await raw.call(CREATE, createRequest("b".repeat(40_000)), by(B))).code).toBe(0);
      expect(await outcomes[1]).toMatchObject({
        reason: "TOO_MANY_UNFINISHED_REQUESTS",
        metadata: { scope: "server" },
      });
      const closed = outcomes[0];
      held[0].close();
      await closed;
    });
  });

  it("are ended after the receive timeout, also without the end of the body", async () => {
    await expectNoLeaks(async () => {
      await using app = await startApp(limited({ requestReceiveMs: 50 }));
      await using raw = new RawHttp2(app.grpcAddress);
      for (const body of [beginning(10), createRequest()]) {
        const stream = raw.open(CREATE, by(A));
        const outcome = outcomeOf(stream);
        stream.write(body);
        expect(await outcome).toMatchObject({
          code: 4,
          reason: "RECEIVE_TIMEOUT",
          metadata: { limit_seconds: "0.05" },
        });
      }
      expect((await app.memory.listMemories({}, { headers: by(A) })).memories).toEqual([]);
    });
  });

  it("are counted by their decompressed size", async () => {
    await expectNoLeaks(async () => {
      await using app = await startApp(limited({ maxUnfinishedBytesPerConnection: MIB }));
      await using raw = new RawHttp2(app.grpcAddress);
      const bomb = frame(gzipSync(Buffer.alloc(8 * MIB)), 1);
      expect(bomb.length).toBeLessThan(20_000);
      const stream = raw.open(CREATE, { ...by(A), "grpc-encoding": "gzip" });
      const outcome = outcomeOf(stream);
      // Without an end, so that it would have to be buffered.
      stream.write(bomb);
      expect(await outcome).toMatchObject({ reason: "TOO_MANY_UNFINISHED_REQUESTS" });
      const request = frame(gzipSync(createRequest("compressed").subarray(5)), 1);
      expect((await raw.call(CREATE, request, { ...by(A), "grpc-encoding": "gzip" })).code).toBe(0);
    });
  });

  it("are bounded over HTTP too, compressed or not", async () => {
    await expectNoLeaks(async () => {
      await using app = await startApp(limited({ maxUnfinishedBytesPerConnection: 100_000 }));
      const post = async (body: Uint8Array, headers: Record<string, string> = {}) => {
        const response = await fetch(`${app.httpUrl}${CREATE}`, {
          method: "POST",
          headers: { ...by(A), "content-type": "application/json", connection: "close", ...headers },
          body: Buffer.from(body),
        });
        return { status: response.status, answer: JSON.stringify(await response.json()) };
      };
      const large = Buffer.from(JSON.stringify({ memory: { text: "x".repeat(200_000) } }));
      expect(await post(large)).toMatchObject({
        status: 429,
        answer: expect.stringContaining("TOO_MANY_UNFINISHED_REQUESTS"),
      });
      const bomb = gzipSync(Buffer.alloc(17 * MIB, " "));
      expect(await post(bomb, { "content-encoding": "gzip" })).toMatchObject({
        status: 429,
        answer: expect.stringContaining("REQUEST_TOO_LARGE"),
      });
      const packed = gzipSync('{"memory": {"text": "packed"}}');
      expect(await post(packed, { "content-encoding": "gzip" })).toMatchObject({ status: 200 });
      expect(await post(Buffer.from("no gzip"), { "content-encoding": "gzip" })).toMatchObject({
        status: 400,
        answer: expect.stringContaining("REQUEST_MALFORMED"),
      });
    });
  });
});

describe("a caller that disconnects during a request", () => {
  it("over HTTP cancels its call, which is no INTERNAL error", async () => {
    await using app = await startApp(limited({}));
    const socket = await connectTcp(app.httpUrl.replace("http://", ""));
    socket.write(
      `POST ${CREATE} HTTP/1.1\r\nhost: x\r\nauthorization: Bearer ${A.key}\r\n` +
        'content-type: application/json\r\ncontent-length: 1000\r\n\r\n{"memory"',
    );
    // The server has begun to read the body when it answers another request.
    expect((await fetch(`${app.httpUrl}/health`)).status).toBe(200);
    socket.destroy();
    const counted = async (): Promise<string[]> =>
      (await (await fetch(`${app.httpUrl}/metrics`)).text())
        .split("\n")
        .filter((line) => line.startsWith("recollect_call_errors_total{"));
    let lines: string[] = [];
    while (lines.length === 0) lines = await counted();
    expect(lines).toEqual([expect.stringContaining('reason="CALL_CANCELLED"')]);
  });
});

describe("streams", () => {
  const message = (sequence: number): Buffer =>
    frame(
      toBinary(
        ImportMemoriesRequestSchema,
        create(ImportMemoriesRequestSchema, { sequence, memories: [{ id: `m${sequence}`, text: "x" }] }),
      ),
    );

  /** An import that has been acknowledged once, and is idle. */
  async function idleImport(raw: RawHttp2, key = A) {
    const stream = raw.open(IMPORT, by(key));
    const outcome = outcomeOf(stream);
    stream.write(message(1));
    await once(stream, "data");
    return { stream, outcome };
  }

  it("share their limit fairly, and do not use the limit of unary calls", async () => {
    await expectNoLeaks(async () => {
      await using app = await startApp(limited({ maxOpenStreams: 4 }));
      await using raw = new RawHttp2(app.grpcAddress);
      const own = [];
      for (let open = 0; open < 4; open += 1) own.push(await idleImport(raw));
      expect(await raw.call(IMPORT, message(1), by(A))).toMatchObject({
        reason: "TOO_MANY_CALLS",
        metadata: { limit: "4", of: "streams" },
        retryAfter: true,
      });
      await seen(raw);
      const others = [await idleImport(raw, B), await idleImport(raw, B)];
      expect(await Promise.all(own.slice(0, 2).map(({ outcome }) => outcome))).toMatchObject([
        { reason: "TOO_MANY_CALLS" },
        { reason: "TOO_MANY_CALLS" },
      ]);
      // Both credentials have their share now.
      expect(await raw.call(IMPORT, message(1), by(B))).toMatchObject({ reason: "TOO_MANY_CALLS" });
      for (const { stream } of [...own.slice(2), ...others]) stream.end();
      const ended = await Promise.all([...own.slice(2), ...others].map(({ outcome }) => outcome));
      expect(ended.map(({ code }) => code)).toEqual([0, 0, 0, 0]);
    });
  });

  it("of requests end when no message arrives, and keep acknowledged data", async () => {
    await expectNoLeaks(async () => {
      await using app = await startApp(limited({ streamIdleMs: 50 }));
      await using raw = new RawHttp2(app.grpcAddress);
      const { outcome } = await idleImport(raw);
      expect(await outcome).toMatchObject({ code: 4, reason: "RECEIVE_TIMEOUT" });
      const { memories } = await app.memory.listMemories({}, { headers: by(A) });
      expect(memories.map(({ id }) => id)).toEqual(["m1"]);
    });
  });
});
