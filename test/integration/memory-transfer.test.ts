import { join } from "node:path";
import type { Message, MessageInitShape } from "@bufbuild/protobuf";
import { timestampFromMs } from "@bufbuild/protobuf/wkt";
import { Code, ConnectError, createClient } from "@connectrpc/connect";
import { createGrpcTransport } from "@connectrpc/connect-node";
import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import {
  type ExportMemoriesRequestSchema,
  Memory_Kind,
  Memory_State,
  type MemorySchema,
  MemoryService,
} from "#gen/recollect/v1/memory_pb.js";
import type { Embedder } from "../../src/ports/embedding/embedder.ts";
import { backendSettings } from "../support/backend-of-run.ts";
import { NOW } from "../support/builders.ts";
import { refusalOf } from "../support/errors.ts";
import { abortion, gatedEmbedder } from "../support/gated-embedder.ts";
import { expectNoLeaks } from "../support/leaks.ts";
import { outcomeOf, RawHttp2 } from "../support/raw-http2.ts";
import { startApp, type TestApp, withLimits } from "../support/start-app.ts";
import { startProcess, type TestProcess } from "../support/start-process.ts";
import {
  bytesOf,
  exportAll,
  type ImportRequest,
  importAll,
  importable,
  streamOf,
} from "../support/transfer.ts";

type Fields<T> = Exclude<T, Message>;
type MemoryInit = MessageInitShape<typeof MemorySchema>;

describe("export and import of memories", () => {
  let app: TestApp;
  let names = 0;
  const fresh = (): string => {
    names += 1;
    return `n${names}`;
  };
  beforeAll(async () => {
    app = await startApp({ overrides: { clock: { now: () => NOW } } });
  });
  afterAll(async () => {
    await app[Symbol.asyncDispose]();
  });

  const write = async (namespace: string, ...texts: readonly string[]): Promise<void> => {
    for (const text of texts) await app.memory.createMemory({ namespace, memory: { id: text, text } });
  };

  it("gives the same bytes after an export, an import into an empty namespace, and an export", async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(importable(), { maxLength: 25 }),
        fc.integer({ min: 1, max: 9 }),
        async (given, size) => {
          const [first, second] = [fresh(), fresh()];
          await importAll(app, [{ namespace: first, sequence: 1, memories: given }]);
          const before = await exportAll(app, { namespace: first });
          expect(before.memories).toHaveLength(new Set(given.map(({ id }) => id)).size);
          const requests: ImportRequest[] = [];
          for (let start = 0; start < before.memories.length; start += size) {
            requests.push({
              namespace: second,
              sequence: start + 1,
              memories: before.memories.slice(start, start + size),
            });
          }
          const acknowledged = await importAll(app, requests);
          expect(acknowledged.map(({ sequence }) => sequence)).toEqual(
            requests.map(({ sequence }) => sequence),
          );
          expect(bytesOf((await exportAll(app, { namespace: second })).memories)).toEqual(
            bytesOf(before.memories),
          );
        },
      ),
      { numRuns: 40 },
    );
  });

  it("contains created, updated and session memories, without namespace and embedding", async () => {
    const [first, second] = [fresh(), fresh()];
    const said = ["hello", "ok", "ok"].map((text) => ({ text, kind: Memory_Kind.MESSAGE, sessionId: "s" }));
    await app.memory.batchCreateMemories({ namespace: first, memories: said });
    await app.memory.createMemory({
      namespace: first,
      memory: { id: "fact", text: "before", tags: ["b", "a"] },
    });
    await app.memory.updateMemory({
      namespace: first,
      memory: { id: "fact", text: "after", metadata: { b: 1, a: [null, "x"] } },
    });
    const { memories } = await exportAll(app, { namespace: first });
    expect(memories.map(({ sessionPosition }) => sessionPosition).sort()).toEqual([0, 1, 2, 3]);
    for (const { namespace, embedding } of memories) expect([namespace, embedding]).toEqual(["", undefined]);
    const [, done] = await importAll(app, [
      { namespace: second, sequence: 1, memories: memories.slice(0, 2) },
      { sequence: 5, memories: memories.slice(2) },
    ]);
    expect(done).toMatchObject({ sequence: 5, importedCount: 4, skippedCount: 0, refusedCount: 0 });
    const copied = await exportAll(app, { namespace: second });
    expect(bytesOf(copied.memories)).toEqual(bytesOf(memories));
    const found = await app.memory.searchMemories({
      namespace: second,
      query: { by: { case: "text", value: "after" } },
    });
    expect(found.results[0]?.memory).toMatchObject({
      id: "fact",
      namespace: second,
      embedding: { dimension: 384 },
    });
    expect(found.results[0]?.similarity).toBeGreaterThan(0);
    const next = await app.memory.createMemory({
      namespace: second,
      memory: { text: "more", sessionId: "s" },
    });
    expect(next.memory?.sessionPosition).toBe(4);
  });

  it("exports every state by default, and applies filters", async () => {
    const namespace = fresh();
    const memories = [
      { id: "a", text: "a", userId: "u" },
      { id: "b", text: "b", userId: "u", state: Memory_State.ARCHIVED },
      { id: "c", text: "c", state: Memory_State.SUPERSEDED },
    ];
    await importAll(app, [{ namespace, sequence: 1, memories }]);
    const ids = async (
      filter?: NonNullable<MessageInitShape<typeof ExportMemoriesRequestSchema>["filter"]>,
    ) =>
      (await exportAll(app, { namespace, ...(filter === undefined ? {} : { filter }) })).memories.map(
        ({ id }) => id,
      );
    expect(await ids()).toEqual(["a", "b", "c"]);
    expect(await ids({ userId: "u" })).toEqual(["a", "b"]);
    expect(await ids({ states: [Memory_State.SUPERSEDED] })).toEqual(["c"]);
  });

  it("resumes after any memory, whatever was written since", async () => {
    const namespace = fresh();
    const names = ["a", "b", "c", "d", "e"];
    await write(namespace, ...names);
    const whole = await exportAll(app, { namespace });
    for (const [index, resumeToken] of whole.tokens.entries()) {
      const id = `new${index}`;
      const createTime = timestampFromMs(NOW - 1 - index);
      await importAll(app, [{ namespace, sequence: 1, memories: [{ id, text: id, createTime }] }]);
      const rest = await exportAll(app, { namespace, resumeToken });
      expect(rest.memories.map((memory) => memory.id)).toEqual(names.slice(index + 1));
    }
  });

  it("refuses a token of another export, or none at all", async () => {
    const namespace = fresh();
    await write(namespace, "a");
    const [resumeToken = ""] = (await exportAll(app, { namespace })).tokens;
    const expected = { code: "InvalidArgument", reason: "PAGE_TOKEN_INVALID", fields: ["resume_token"] };
    for (const request of [
      { namespace: fresh(), resumeToken },
      { namespace, resumeToken, filter: { userId: "u" } },
      { namespace, resumeToken: "nonsense" },
    ]) {
      expect(await refusalOf(exportAll(app, request))).toMatchObject(expected);
    }
    await write(namespace, "b");
    const { nextPageToken } = await app.memory.listMemories({ namespace, pageSize: 1 });
    expect(await refusalOf(exportAll(app, { namespace, resumeToken: nextPageToken }))).toMatchObject(
      expected,
    );
  });

  it("exports texts that together are larger than any message", async () => {
    const namespace = fresh();
    const text = "x".repeat(64 * 1024 - 10);
    const memories = Array.from({ length: 100 }, (_, index) => ({
      id: `m${index}`,
      text: `${index} ${text}`,
    }));
    await importAll(
      app,
      [0, 1, 2].map((part) => ({
        namespace,
        sequence: part + 1,
        memories: memories.map(({ id, ...rest }) => ({ ...rest, id: `${id}-${part}` })),
      })),
    );
    expect((await exportAll(app, { namespace })).memories).toHaveLength(300);
  });

  it("skips existing ids, and embeds nothing for them", async () => {
    const texts: string[] = [];
    const counting: Embedder = {
      identity: { provider: "counting", model: "m", dimension: 2 },
      embed: async (given) => {
        texts.push(...given);
        return given.map(() => ({ vector: Float32Array.of(1, 0), truncated: false }));
      },
    };
    await using own = await startApp({ overrides: { embedder: counting } });
    const memories = ["a", "b", "c"].map((id) => ({ id, text: id }));
    await importAll(own, [{ sequence: 1, memories: memories.slice(0, 2) }]);
    const [again] = await importAll(own, [{ sequence: 1, memories }]);
    expect(again).toMatchObject({ importedCount: 1, skippedCount: 2 });
    expect(texts).toEqual(["a", "b", "c"]);
  });

  it("refuses invalid memories one by one, skips expired ones, and stores the rest", async () => {
    const namespace = fresh();
    const good = (id: string): MemoryInit => ({ id, text: id });
    const bad: readonly (readonly [MemoryInit, string])[] = [
      [{ text: "x" }, "id"],
      [{ id: "x" }, "text"],
      [{ id: "x", text: "x", tags: ["a", "a"] }, "tags"],
      [{ id: "x", text: "x", state: 77 as Memory_State }, "state"],
      [{ id: "x", text: "x", expiration: { case: "ttl", value: { seconds: 5n } } }, "ttl"],
      [{ id: "x", text: "x", sessionPosition: 2 ** 31 - 1 }, "session_position"],
      [{ id: "x", text: "x", createTime: { seconds: 10n ** 15n } }, "create_time"],
      [{ id: "x", text: "x", metadata: { a: { b: Number.NaN } } }, "metadata.a.b"],
      [{ id: "x", text: "x", updateTime: timestampFromMs(NOW - 1) }, "update_time"],
    ];
    const ended = {
      ...good("ended"),
      expiration: { case: "expireTime" as const, value: timestampFromMs(NOW) },
    };
    const responses = await importAll(app, [
      { namespace, sequence: 3, memories: [good("a"), ...bad.map(([memory]) => memory), ended, good("b")] },
      { sequence: 4, memories: [good("c"), good("a")] },
      { sequence: 9 },
    ]);
    expect(responses).toMatchObject([
      { sequence: 3, importedCount: 2, skippedCount: 0, expiredCount: 1, refusedCount: bad.length },
      {
        sequence: 4,
        importedCount: 3,
        skippedCount: 1,
        expiredCount: 1,
        refusedCount: bad.length,
        refusals: [],
      },
      { sequence: 9, importedCount: 3, refusals: [] },
    ]);
    const refusals = responses[0]?.refusals ?? [];
    expect(refusals.map(({ index }) => index)).toEqual(bad.map((_, index) => index + 1));
    for (const [index, [, field]] of bad.entries()) {
      const error = refusals[index]?.error;
      expect(error?.code).toBe(Code.InvalidArgument);
      expect(error?.message).toContain(`memories[${index + 1}].${field}`);
    }
    expect((await exportAll(app, { namespace })).memories.map(({ id }) => id)).toEqual(["a", "b", "c"]);
  });

  const kept = [{ id: "kept", text: "kept" }];
  it.each<[string, readonly Fields<ImportRequest>[], string, number]>([
    [
      "a sequence that does not increase",
      [
        { sequence: 2, memories: kept },
        { sequence: 2, memories: kept },
      ],
      "sequence",
      1,
    ],
    [
      "another namespace",
      [
        { sequence: 1, memories: kept },
        { sequence: 2, namespace: "other" },
      ],
      "namespace",
      1,
    ],
    ["no sequence", [{ memories: kept }], "sequence", 0],
    [
      "too many memories",
      [{ sequence: 1, memories: Array.from({ length: 201 }, () => ({})) }],
      "memories",
      0,
    ],
  ])("ends an import with %s, and keeps acknowledged memories", async (_, [first, ...rest], field, count) => {
    const namespace = fresh();
    const refused = await refusalOf(importAll(app, [{ ...first, namespace }, ...rest]));
    expect(refused).toMatchObject({ code: "InvalidArgument", reason: "REQUEST_INVALID", fields: [field] });
    expect((await exportAll(app, { namespace })).memories).toHaveLength(count);
  });

  it("creates no namespace for an import that stores nothing", async () => {
    const namespace = fresh();
    await importAll(app, [{ namespace, sequence: 1, memories: [{ text: "without id" }] }]);
    const { namespaces } = await app.memory.listNamespaces({ pageSize: 1000 });
    expect(namespaces).not.toContain(namespace);
  });

  it("exports as JSON over HTTP, and sends imports to gRPC", async () => {
    const namespace = fresh();
    await write(namespace, "a");
    const post = (method: string, body: Buffer, type: string): Promise<Response> =>
      fetch(`${app.httpUrl}/recollect.v1.MemoryService/${method}`, {
        method: "POST",
        headers: { "content-type": type },
        body: new Uint8Array(body),
      });
    const json = Buffer.from(JSON.stringify({ namespace }));
    const envelope = Buffer.concat([Buffer.from([0, 0, 0, 0, json.length]), json]);
    const exported = await post("ExportMemories", envelope, "application/connect+json");
    expect(await exported.text()).toContain('"text":"a"');
    for (const type of ["application/json", "application/connect+json", "application/grpc-web+proto"]) {
      const refused = await post("ImportMemories", envelope, type);
      expect(refused.status).toBe(501);
      const { code, details } = (await refused.json()) as { code: string; details: { value: string }[] };
      expect(code).toBe("unimplemented");
      expect(Buffer.from(details[0]?.value ?? "", "base64").toString()).toContain("METHOD_NOT_SERVED");
    }
  });
});

describe("an interrupted import", () => {
  const message = (sequence: number): ImportRequest => ({
    sequence,
    memories: [{ id: `m${sequence}`, text: `text ${sequence}` }],
  });

  /** An import whose messages are sent by hand. */
  function openImport(app: TestApp, signal?: AbortSignal) {
    const queue: ImportRequest[] = [];
    let wake = Promise.withResolvers<void>();
    const requests = async function* (): AsyncIterable<ImportRequest> {
      for (;;) {
        for (const request of queue.splice(0)) yield request;
        await wake.promise;
        wake = Promise.withResolvers();
      }
    };
    const responses = app.memory
      .importMemories(requests(), signal === undefined ? {} : { signal })
      [Symbol.asyncIterator]();
    return {
      send: (request: ImportRequest): void => {
        queue.push(request);
        wake.resolve();
      },
      next: () => responses.next(),
    };
  }

  it("by a server stop ends with SERVER_STOPPING while idle, and keeps acknowledged memories", async () => {
    await expectNoLeaks(async () => {
      await using app = await startApp({ configure: withLimits({ drainMs: 50 }) });
      const stream = openImport(app);
      stream.send(message(1));
      expect((await stream.next()).value).toMatchObject({ sequence: 1, importedCount: 1 });
      const ending = refusalOf(stream.next());
      await app.stop();
      expect(await ending).toMatchObject({ code: "Unavailable", reason: "SERVER_STOPPING" });
      await using next = await startApp({ dataDir: app.dataDir });
      expect((await exportAll(next, {})).memories.map(({ id }) => id)).toEqual(["m1"]);
    });
  });

  it("by its caller is stopped", async () => {
    await expectNoLeaks(async () => {
      const gate = gatedEmbedder();
      await using app = await startApp({ overrides: { embedder: gate } });
      const cancelled = new AbortController();
      const stream = openImport(app, cancelled.signal);
      stream.send(message(1));
      const ending = stream.next();
      await gate.entered(1);
      cancelled.abort();
      await expect(ending).rejects.toThrow(ConnectError);
      const [signal = new AbortController().signal] = gate.signals;
      await abortion(signal);
      expect(signal.reason).toMatchObject({ reason: "CALL_CANCELLED" });
      expect((await exportAll(app, {})).memories).toEqual([]);
    });
  });

  it("by its deadline ends with DEADLINE_EXCEEDED while idle", async () => {
    await using app = await startApp();
    await using raw = new RawHttp2(app.grpcAddress);
    const stream = raw.open("/recollect.v1.MemoryService/ImportMemories", { "grpc-timeout": "50m" });
    expect(await outcomeOf(stream)).toMatchObject({
      code: Code.DeadlineExceeded,
      reason: "DEADLINE_EXCEEDED",
    });
    expect((await exportAll(app, {})).memories).toEqual([]);
  });

  it("by a crash has every acknowledged memory, and stores nothing twice when it is repeated", async () => {
    const grpcOf = async (server: TestProcess): Promise<string> =>
      (JSON.parse(await server.lineWith('"serving"')) as { grpc: string }).grpc;
    const clientOf = (address: string): TestApp["memory"] =>
      createClient(MemoryService, createGrpcTransport({ baseUrl: `http://${address}` }));
    const all = Array.from({ length: 40 }, (_, index) => message(index + 1));
    const data = backendSettings("data");
    await using killed = await startProcess(data);
    let acknowledged = 0;
    const first = clientOf(await grpcOf(killed));
    const broken = async (): Promise<void> => {
      for await (const { importedCount } of first.importMemories(streamOf(all))) {
        acknowledged = importedCount;
        if (acknowledged === 10) killed.process.kill("SIGKILL");
      }
    };
    await broken().catch((error: unknown) => expect(error).toBeInstanceOf(ConnectError));
    await killed.exited;
    expect(acknowledged).toBeGreaterThanOrEqual(10);

    await using next = await startProcess({ ...data, DATA_DIR: join(killed.directory, "data") });
    const memory = clientOf(await grpcOf(next));
    const kept = (await exportAll({ memory }, {})).memories;
    expect(kept.length).toBeGreaterThanOrEqual(acknowledged);
    const last = (await importAll({ memory }, all)).at(-1);
    expect(last).toMatchObject({ importedCount: 40 - kept.length, skippedCount: kept.length });
    expect((await exportAll({ memory }, {})).memories).toHaveLength(40);
  });

  it("reads no second message before the first is on disk", async () => {
    const gate = gatedEmbedder();
    await using app = await startApp({ overrides: { embedder: gate } });
    const stream = openImport(app);
    for (let sequence = 1; sequence <= 5; sequence += 1) stream.send(message(sequence));
    const first = stream.next();
    await gate.entered(1);
    await app.memory.listMemories({});
    expect(gate.signals).toHaveLength(1);
    gate.release();
    expect((await first).value).toMatchObject({ sequence: 1, importedCount: 1 });
    for (let sequence = 2; sequence <= 5; sequence += 1) {
      expect((await stream.next()).value).toMatchObject({ sequence, importedCount: sequence });
    }
  });
});
