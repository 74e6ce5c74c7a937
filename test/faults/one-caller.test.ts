import { once } from "node:events";
import { create, toBinary } from "@bufbuild/protobuf";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import {
  BatchCreateMemoriesRequestSchema,
  ImportMemoriesRequestSchema,
} from "#gen/recollect/v1/memory_pb.js";
import { keysFile, testKey } from "../support/api-keys.ts";
import {
  CREATE,
  createRequest,
  frame,
  LIST,
  listRequest,
  outcomeOf,
  RawHttp2,
} from "../support/raw-http2.ts";
import { LONG_RUN } from "../support/scale.ts";
import { type MeasuredServer, startMeasured } from "../support/server-cost.ts";

const MIB = 1024 * 1024;
const BATCH = "/recollect.v1.MemoryService/BatchCreateMemories";
const IMPORT = "/recollect.v1.MemoryService/ImportMemories";
const EXPORT = "/recollect.v1.MemoryService/ExportMemories";
const A = testKey({ tenant: "a" });
const B = testKey({ tenant: "b" });
const by = ({ key }: { readonly key: string }) => ({ authorization: `Bearer ${key}` });

/** Number of connections needed for that number of streams. */
async function connect(server: MeasuredServer, count: number): Promise<RawHttp2[]> {
  const connections = Array.from(
    { length: count },
    () => new RawHttp2(server.grpc, { maxSessionMemory: 10_000 }),
  );
  for (const raw of connections) if (raw.session.connecting) await once(raw.session, "connect");
  return connections;
}

describe.runIf(LONG_RUN)("one caller", () => {
  let server: MeasuredServer;
  let other: RawHttp2;
  beforeAll(async () => {
    server = await startMeasured(
      {
        AUTH_MODE: "api_keys",
        AUTH_API_KEYS_FILE: "keys.yaml",
        GRPC_HOST: "127.0.0.1",
        HTTP_HOST: "127.0.0.1",
      },
      { "keys.yaml": keysFile([A, B]) },
    );
    other = new RawHttp2(server.grpc);
  });
  afterAll(async () => {
    await other[Symbol.asyncDispose]();
    await server[Symbol.asyncDispose]();
  });

  /** Checks that calls of each kind of the other tenant succeed. */
  async function otherIsServed(): Promise<void> {
    for (let call = 0; call < 20; call += 1) {
      expect((await other.call(LIST, listRequest(), by(B))).code).toBe(0);
      expect((await other.call(CREATE, createRequest(`of b ${Math.random()}`), by(B))).code).toBe(0);
    }
    expect((await other.call(EXPORT, frame(Buffer.alloc(0)), by(B))).code).toBe(0);
  }

  it.each([
    ["without a key", {}],
    ["with a key", by(A)],
  ])("%s with 400 unfinished requests of 15.9 MiB takes 320 MiB at most", async (_, headers) => {
    await server.peakMemory();
    const before = await server.memory();
    const [raw] = await connect(server, 1);
    const head = Buffer.alloc(5);
    head.writeUInt32BE(15.9 * MIB, 1);
    const body = Buffer.concat([head, Buffer.alloc(15 * MIB)]);
    const outcomes = Array.from({ length: 400 }, () => {
      const stream = raw?.open(CREATE, headers);
      if (stream === undefined) throw new Error("no connection");
      const outcome = outcomeOf(stream);
      stream.write(body);
      return outcome;
    });
    const first = await Promise.race(outcomes);
    await otherIsServed();
    expect((await server.peakMemory()) - before).toBeLessThan(320 * MIB);
    expect(first.reason).toBe(
      "authorization" in headers ? "TOO_MANY_UNFINISHED_REQUESTS" : "CREDENTIAL_INVALID",
    );
    await raw?.[Symbol.asyncDispose]();
    await Promise.all(outcomes);
  });

  it("with 1,000 idle imports blocks neither other callers nor its own other calls", async () => {
    const connections = await connect(server, 2);
    const message = frame(
      toBinary(
        ImportMemoriesRequestSchema,
        create(ImportMemoriesRequestSchema, { sequence: 1, memories: [{ id: "imported", text: "x" }] }),
      ),
    );
    const streams = connections.flatMap((raw) => Array.from({ length: 500 }, () => raw.open(IMPORT, by(A))));
    const outcomes = streams.map(outcomeOf);
    for (const stream of streams) stream.write(message);
    await Promise.all(streams.map((stream) => once(stream, "data")));
    await otherIsServed();
    expect((await connections[0]?.call(LIST, listRequest(), by(A)))?.code).toBe(0);
    const imports = await Promise.all(Array.from({ length: 10 }, () => other.call(IMPORT, message, by(B))));
    expect(imports.map(({ code }) => code)).toEqual(Array.from({ length: 10 }, () => 0));
    for (const raw of connections) await raw[Symbol.asyncDispose]();
    await Promise.all(outcomes);
  });

  it("with 1,000 exports that it does not read takes 400 MiB at most, and delays no other caller", async () => {
    const texts = Array.from({ length: 100 }, (_, index) => `${index} `.padEnd(40_000, `word${index} `));
    const batch = toBinary(
      BatchCreateMemoriesRequestSchema,
      create(BatchCreateMemoriesRequestSchema, { memories: texts.map((text) => ({ text })) }),
    );
    expect((await other.call(BATCH, frame(batch), by(A))).code).toBe(0);
    await server.peakMemory();
    const before = await server.memory();
    await server.longestHold();
    const connections = await connect(server, 2);
    const streams = connections.flatMap((raw) =>
      Array.from({ length: 500 }, () => {
        const stream = raw.open(EXPORT, by(A));
        stream.end(frame(Buffer.alloc(0)));
        return stream;
      }),
    );
    await Promise.all(streams.map((stream) => once(stream, "response")));
    await otherIsServed();
    expect((await server.peakMemory()) - before).toBeLessThan(400 * MIB);
    expect(await server.longestHold()).toBeLessThan(1000);
    for (const raw of connections) await raw[Symbol.asyncDispose]();
  });
});
