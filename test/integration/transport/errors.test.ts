import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { MemoryService } from "#gen/recollect/v1/memory_pb.js";
import { RecollectError } from "../../../src/domain/errors.ts";
import { type AnyHandler, serve } from "../../../src/transport/handler.ts";
import { expectNoLeaks } from "../../support/leaks.ts";
import { CREATE, createRequest, LIST, listRequest, RawHttp2 } from "../../support/raw-http2.ts";
import { startApp, type TestApp } from "../../support/start-app.ts";
import { startGrpcServer, type TestGrpcServer } from "../../support/start-grpc-server.ts";

const INTERNAL = 13;
const UNAVAILABLE = 14;
const EXPORT = "/recollect.v1.MemoryService/ExportMemories";

/** Errors that end a Node process by default; a handler must not. */
const escaped: unknown[] = [];
const note = (error: unknown): void => {
  escaped.push(error);
};
beforeAll(() => {
  process.on("unhandledRejection", note);
  process.on("uncaughtExceptionMonitor", note);
});
afterAll(() => {
  process.off("unhandledRejection", note);
  process.off("uncaughtExceptionMonitor", note);
});
afterEach(() => {
  expect(escaped.splice(0)).toEqual([]);
});

describe("an error that a handler throws", () => {
  const throws: Readonly<Record<string, AnyHandler>> = {
    "an error at once": () => {
      throw new Error("secret");
    },
    "an error later": async () => {
      await new Promise((resolve) => setImmediate(resolve));
      throw new Error("secret");
    },
    "a value that is no Error": () => Promise.reject("secret"),
    "nothing whatever": () => Promise.reject(undefined),
    "an error with throwing properties": () =>
      Promise.reject(
        new Proxy(new Error("secret"), {
          get: () => {
            throw new TypeError("no");
          },
        }),
      ),
    "a response that cannot be encoded": () => Promise.resolve({ memory: { importance: "high" } }),
  };

  it.each(Object.keys(throws))("is INTERNAL with a call id: %s", async (what) => {
    const handler = throws[what];
    await using server = await startGrpcServer([
      { service: MemoryService, handlers: { createMemory: handler } },
    ]);
    await using raw = new RawHttp2(server.address);
    const outcome = await raw.call(CREATE, createRequest());
    expect(outcome).toMatchObject({ code: INTERNAL, reason: "INTERNAL", message: "internal error" });
    expect(outcome.metadata["call_id"]).toMatch(/^[0-9a-f-]{36}$/);
    expect((await raw.call(CREATE, createRequest())).code).toBe(INTERNAL);
  });

  it("is INTERNAL in a stream too, before or after the first message", async () => {
    let messages = 0;
    const services = [
      serve(MemoryService, {
        exportMemories: async function* () {
          for (let sent = 0; sent < messages; sent += 1) yield {};
          throw new Error("secret");
        },
      }),
    ];
    await using server = await startGrpcServer(services);
    await using raw = new RawHttp2(server.address);
    for (messages of [0, 1]) {
      expect(await raw.call(EXPORT, Buffer.alloc(5))).toMatchObject({
        code: INTERNAL,
        reason: "INTERNAL",
        message: "internal error",
        body: Buffer.alloc(5 * messages),
      });
    }
  });

  it("has its reason when a stream fails between two iterations of the event loop", async () => {
    const services = [
      serve(MemoryService, {
        exportMemories: async function* () {
          yield {};
          await new Promise((resolve) => setImmediate(resolve));
          throw new RecollectError("STORE_UNAVAILABLE", "\udfff in the middle", { retryAfterMs: 0.3 });
        },
      }),
    ];
    await using server = await startGrpcServer(services);
    await using raw = new RawHttp2(server.address);
    const outcome = await raw.call(EXPORT, Buffer.alloc(5));
    expect(outcome).toMatchObject({
      code: UNAVAILABLE,
      reason: "STORE_UNAVAILABLE",
      message: "\ufffd in the middle",
      retryAfter: true,
    });
    expect(outcome.body).toEqual(Buffer.alloc(5));
  });
});

describe("the text of an error", () => {
  let app: TestApp;
  let raw: RawHttp2;
  let error: RecollectError;
  beforeEach(async () => {
    const failing = {
      identity: { provider: "hashing", model: "failing", dimension: 2 },
      embed: () => Promise.reject(error),
    };
    app = await startApp({ overrides: { embedder: failing } });
    raw = new RawHttp2(app.grpcAddress);
  });
  afterEach(async () => {
    // The connection is still open, and the next call on it succeeds.
    expect((await raw.call(LIST, listRequest())).code).toBe(0);
    await raw[Symbol.asyncDispose]();
    await app[Symbol.asyncDispose]();
  });

  it.each([
    ["a lone high surrogate", "a\ud800b"],
    ["a lone low surrogate", "\udc00"],
    ["100 KB", "x".repeat(100_000)],
    ["100 KB of three bytes each", "\u20ac".repeat(100_000)],
    ["100 KB of pairs, off by one", `x${"\u{1f600}".repeat(25_000)}`],
    ["100 KB of lone surrogates", "\ud800".repeat(100_000)],
    ["line breaks and zeros", "a\r\nb\0c%"],
  ])("is bounded and well-formed: %s", async (_, text) => {
    error = new RecollectError("STORE_UNAVAILABLE", text, {
      metadata: { provider: text, model: text },
      violations: Array.from({ length: 300 }, () => ({ field: text, description: text })),
      resource: { type: "memory", name: text },
      retryAfterMs: 1000,
    });
    const outcome = await raw.call(CREATE, createRequest());
    expect(outcome).toMatchObject({ code: UNAVAILABLE, reason: "STORE_UNAVAILABLE" });
    expect(outcome.message.isWellFormed()).toBe(true);
    expect(outcome.message.length).toBeLessThanOrEqual(1024);
    // The default limit of grpc-java.
    expect(outcome.headerBytes).toBeLessThanOrEqual(8192);
    const generated = app.memory.createMemory({ memory: { text: "x" } });
    await expect(generated).rejects.toMatchObject({ code: UNAVAILABLE });
  });

  it("reaches a JSON client as well-formed Unicode", async () => {
    error = new RecollectError("STORE_UNAVAILABLE", `\ud800${"x".repeat(100_000)}`);
    const response = await fetch(`${app.httpUrl}${CREATE}`, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: '{"memory": {"text": "x"}}',
    });
    const { message } = (await response.json()) as { message: string };
    expect([response.status, message.startsWith("\ufffdx"), message.length <= 1024]).toEqual([
      503,
      true,
      true,
    ]);
  });
});

describe("the gRPC server alone", () => {
  it("closes its connections and streams", async () => {
    await expectNoLeaks(async () => {
      let server: TestGrpcServer | undefined;
      {
        await using started = await startGrpcServer([serve(MemoryService, {})]);
        await using raw = new RawHttp2(started.address);
        expect((await raw.call(LIST, listRequest())).reason).toBe("METHOD_NOT_SERVED");
        server = started;
      }
      expect(server.outcomes).toHaveLength(1);
    });
  });
});
