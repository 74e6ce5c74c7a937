import { gzipSync } from "node:zlib";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
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
import { startApp, type TestApp } from "../../support/start-app.ts";

const INVALID_ARGUMENT = 3;
const RESOURCE_EXHAUSTED = 8;
const MIB = 1024 * 1024;
const PREFACE = Buffer.from("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n");
const NO_SETTINGS = http2Frame(4, 0, Buffer.alloc(0));

describe("invalid frames", () => {
  let app: TestApp;
  let raw: RawHttp2;
  beforeAll(async () => {
    app = await startApp();
    raw = new RawHttp2(app.grpcAddress);
  });
  afterAll(async () => {
    await raw[Symbol.asyncDispose]();
    await app[Symbol.asyncDispose]();
  });
  // After every frame: an existing connection works, and so does a new one.
  afterEach(async () => {
    expect((await raw.call(LIST, listRequest())).code).toBe(0);
    await using other = new RawHttp2(app.grpcAddress);
    expect((await other.call(LIST, listRequest())).code).toBe(0);
  });

  it.each([
    ["no message", Buffer.alloc(0)],
    ["a truncated frame", frame(Buffer.alloc(10)).subarray(0, 8)],
    ["a truncated frame header", Buffer.from([0, 0, 0])],
    ["two messages", Buffer.concat([listRequest(), listRequest()])],
    ["three messages", Buffer.concat([listRequest(), listRequest(), listRequest()])],
    ["a message and half of another", Buffer.concat([createRequest(), Buffer.from([0, 0, 0, 0, 9, 1])])],
  ])("in the body: %s", async (_, body) => {
    const outcome = await raw.call(CREATE, body);
    // The last one looks complete until its end.
    if (body.byteLength > createRequest().byteLength && body[body.byteLength - 1] === 1) {
      expect([0, INVALID_ARGUMENT]).toContain(outcome.code);
    } else expect(outcome).toMatchObject({ code: INVALID_ARGUMENT, reason: "REQUEST_MALFORMED" });
  });

  it.each([
    ["invalid gzip", frame(Buffer.from("garbage"), 1), "gzip"],
    ["truncated gzip", frame(gzipSync(listRequest()).subarray(0, 12), 1), "gzip"],
    ["invalid deflate", frame(Buffer.from("garbage"), 1), "deflate"],
    ["an unknown encoding", frame(Buffer.from("garbage"), 1), "zstd"],
  ])("compressed: %s", async (_, body, encoding) => {
    expect(await raw.call(LIST, body, { "grpc-encoding": encoding })).toMatchObject({
      code: INVALID_ARGUMENT,
      reason: "REQUEST_MALFORMED",
      metadata: { method: LIST },
    });
  });

  it("a compression bomb is inflated up to the limit only", async () => {
    const bomb = frame(gzipSync(Buffer.alloc(50 * MIB)), 1);
    expect(await raw.call(LIST, bomb, { "grpc-encoding": "gzip" })).toMatchObject({
      code: RESOURCE_EXHAUSTED,
      reason: "REQUEST_TOO_LARGE",
      metadata: { max_bytes: String(16 * MIB) },
    });
    const response = await fetch(`${app.httpUrl}${LIST}`, {
      method: "POST",
      headers: { "content-type": "application/json", "content-encoding": "gzip" },
      body: gzipSync(Buffer.alloc(50 * MIB, " ")),
    });
    expect([response.status, await response.json()]).toMatchObject([429, { code: "resource_exhausted" }]);
  });

  it("a valid compressed message is read", async () => {
    const body = frame(gzipSync(listRequest().subarray(5)), 1);
    expect((await raw.call(LIST, body, { "grpc-encoding": "gzip" })).code).toBe(0);
  });

  // grpc-js treats only flag 1 as compressed and reads all others as uncompressed; the message is then decoded.
  it.each([7, 255])("a frame with flag %i is read as uncompressed", async (flag) => {
    expect((await raw.call(LIST, frame(Buffer.alloc(0), flag))).code).toBe(0);
    expect(await raw.call(LIST, frame(Buffer.from([0xff]), flag))).toMatchObject({
      reason: "REQUEST_MALFORMED",
    });
  });

  it.each(["text/plain", "application/json", ""])("content-type %j is answered 415", async (type) => {
    expect((await raw.call(LIST, listRequest(), { "content-type": type })).httpStatus).toBe(415);
  });

  it.each([
    ["150 headers", Object.fromEntries(Array.from({ length: 150 }, (_, name) => [`x-${name}`, "1"]))],
    ["100 KB of headers", { "x-large": "x".repeat(100_000) }],
    [
      "100 KB in many headers",
      Object.fromEntries(Array.from({ length: 100 }, (_, n) => [`x-${n}`, "x".repeat(1000)])),
    ],
  ])("a flood of headers ends that call or its connection: %s", async (_, headers) => {
    await using flooding = new RawHttp2(app.grpcAddress);
    const outcome = await flooding.call(LIST, listRequest(), headers);
    expect(outcome.code).toBeUndefined();
  });

  it("an unknown path of any length is answered METHOD_UNKNOWN", async () => {
    const path = `/${"x".repeat(20_000)}`;
    expect(await raw.call(path, listRequest())).toMatchObject({ code: 12, reason: "METHOD_UNKNOWN" });
  });

  it.each([
    ["garbage instead of the preface", Buffer.alloc(64, 0xaa)],
    ["HTTP/1.1", Buffer.from("GET / HTTP/1.1\r\nhost: x\r\n\r\n")],
    ["TLS", Buffer.from("16030100a5010000a10303", "hex")],
    [
      "a frame over SETTINGS_MAX_FRAME_SIZE",
      Buffer.concat([PREFACE, NO_SETTINGS, http2Frame(0, 1, Buffer.alloc(20_000))]),
    ],
    [
      "data on a stream that is not open",
      Buffer.concat([PREFACE, NO_SETTINGS, http2Frame(0, 1, Buffer.alloc(5))]),
    ],
    ["headers on stream 0", Buffer.concat([PREFACE, NO_SETTINGS, http2Frame(1, 0, Buffer.from([0x83]), 4)])],
    [
      "headers that are invalid HPACK",
      Buffer.concat([PREFACE, NO_SETTINGS, http2Frame(1, 1, Buffer.alloc(9, 0xff), 4)]),
    ],
    ["settings of an invalid length", Buffer.concat([PREFACE, http2Frame(4, 0, Buffer.alloc(5))])],
    [
      "a continuation without headers",
      Buffer.concat([PREFACE, NO_SETTINGS, http2Frame(9, 1, Buffer.alloc(5), 4)]),
    ],
    ["a window update of 0", Buffer.concat([PREFACE, NO_SETTINGS, http2Frame(8, 0, Buffer.alloc(4))])],
  ])("closes the connection at %s", async (_, bytes) => {
    const socket = await connectTcp(app.grpcAddress);
    const closed = new Promise<void>((resolve) => socket.once("close", () => resolve()));
    socket.resume();
    socket.write(bytes);
    await closed;
  });

  it("ignores frames of an unknown type", async () => {
    const socket = await connectTcp(app.grpcAddress);
    const PING = 6;
    const answered = new Promise<void>((resolve) => {
      let received = Buffer.alloc(0);
      socket.on("data", (chunk: Buffer) => {
        received = Buffer.concat([received, chunk]);
        if (received.includes(http2Frame(PING, 0, Buffer.from("12345678"), 1))) resolve();
      });
    });
    const unknown = http2Frame(0xfe, 0, Buffer.alloc(30));
    socket.write(
      Buffer.concat([PREFACE, NO_SETTINGS, unknown, http2Frame(PING, 0, Buffer.from("12345678"))]),
    );
    await answered;
    socket.destroy();
  });

  it("a call that is refused while its body is still arriving ends", async () => {
    const stream = raw.open("/no.Such/Method");
    const outcome = outcomeOf(stream);
    stream.write(Buffer.alloc(1000));
    expect(await outcome).toMatchObject({ code: 12, reason: "METHOD_UNKNOWN" });
  });
});

describe("invalid HTTP", () => {
  let app: TestApp;
  beforeAll(async () => {
    app = await startApp();
  });
  afterAll(async () => {
    await app[Symbol.asyncDispose]();
  });
  afterEach(async () => {
    expect((await fetch(`${app.httpUrl}/health`)).status).toBe(200);
  });

  it.each([
    ["garbage", Buffer.alloc(64, 0xaa), "400"],
    ["HTTP/2 without TLS", PREFACE, "(400|505)"],
    [
      "100 KB of headers",
      Buffer.from(`GET /health HTTP/1.1\r\nhost: x\r\nx: ${"x".repeat(100_000)}\r\n\r\n`),
      "431",
    ],
    [
      "two lengths",
      Buffer.from("POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 1\r\ncontent-length: 2\r\n\r\nab"),
      "400",
    ],
    [
      "a length and chunks",
      Buffer.from(
        "POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 3\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n",
      ),
      "400",
    ],
  ])("is answered and closed: %s", async (_, bytes, status) => {
    const socket = await connectTcp(app.httpUrl.replace("http://", ""));
    let answer = "";
    socket.on("data", (chunk: Buffer) => {
      answer += chunk.toString();
    });
    const closed = new Promise<void>((resolve) => socket.once("close", () => resolve()));
    socket.write(bytes);
    await closed;
    expect(answer).toMatch(new RegExp(`^HTTP/1.1 ${status} `));
  });

  it.each([
    ["invalid gzip", { "content-encoding": "gzip" }, "garbage", 400],
    ["an unknown encoding", { "content-encoding": "zstd" }, "garbage", 501],
    ["an unknown content-type", { "content-type": "text/plain" }, "{}", 415],
    ["an invalid timeout", { "connect-timeout-ms": "soon" }, "{}", 400],
  ])("is refused: %s", async (_, headers, body, status) => {
    const response = await fetch(`${app.httpUrl}${LIST}`, {
      method: "POST",
      headers: { "content-type": "application/json", ...headers },
      body,
    });
    await response.text();
    expect(response.status).toBe(status);
  });
});
