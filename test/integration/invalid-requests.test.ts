import { create, toBinary } from "@bufbuild/protobuf";
import { status } from "@grpc/grpc-js";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import { CacheService } from "#gen/recollect/v1/cache_pb.js";
import { CompactionService } from "#gen/recollect/v1/compaction_pb.js";
import {
  CreateMemoryRequestSchema,
  MemoryService,
  SearchMemoriesRequestSchema,
} from "#gen/recollect/v1/memory_pb.js";
import { OperationsService } from "#gen/recollect/v1/operations_pb.js";
import { refusalOf } from "../support/errors.ts";
import { RawGrpc } from "../support/raw-grpc.ts";
import { startApp, type TestApp } from "../support/start-app.ts";

const CREATE = "/recollect.v1.MemoryService/CreateMemory";
const SEARCH = "/recollect.v1.MemoryService/SearchMemories";

const SERVED: Readonly<Record<string, readonly string[]>> = {
  "recollect.v1.MemoryService": [
    "CreateMemory",
    "BatchCreateMemories",
    "GetMemory",
    "ListMemories",
    "DeleteMemory",
    "SearchMemories",
    "BatchGetMemories",
    "UpdateMemory",
    "PurgeMemories",
    "ListNamespaces",
    "GetNamespaceStats",
    "DeleteNamespace",
    "ExportMemories",
    "WatchMemories",
    "ListMemoryRevisions",
    "RestoreMemory",
    "ImportMemories",
    "ListMemoryRevisions",
    "RestoreMemory",
  ],
  "recollect.v1.CacheService": [
    "LookupCache",
    "StoreCacheEntry",
    "GetCacheEntry",
    "ListCacheEntries",
    "DeleteCacheEntry",
    "GetCacheStats",
    "GetCachePolicy",
    "UpdateCachePolicy",
    "InvalidateCache",
    "ReportCacheOutcome",
  ],
  "recollect.v1.CompactionService": [
    "StartCompaction",
    "GetCompaction",
    "ListCompactions",
    "WatchCompaction",
    "ApproveCompaction",
    "CancelCompaction",
    "UndoCompaction",
    "GetCompactionPolicy",
    "UpdateCompactionPolicy",
  ],
  "recollect.v1.OperationsService": [
    "GetServerInfo",
    "GetIndexInfo",
    "RebuildIndex",
    "GetEmbeddingInfo",
    "StartReembedding",
    "GetReembedding",
  ],
};

describe("invalid requests", () => {
  let app: TestApp;
  let raw: RawGrpc;
  beforeAll(async () => {
    app = await startApp();
    raw = new RawGrpc(app.grpcAddress);
  });
  afterAll(async () => {
    raw[Symbol.dispose]();
    await app[Symbol.asyncDispose]();
  });
  // After every request: nothing is partially written, and the server works.
  afterEach(async () => {
    expect((await app.memory.listMemories({})).memories).toEqual([]);
  });

  /** A protobuf field of wire type 2: tag, length, bytes. */
  function field(number: number, bytes: Uint8Array): Buffer {
    return Buffer.concat([Buffer.from([(number << 3) | 2, bytes.length]), bytes]);
  }

  it.each([
    ["malformed protobuf", Buffer.from([0xff, 0xff, 0xff])],
    ["a truncated message", Buffer.from([0x12, 0x7f, 0x01])],
    ["a field of the wrong wire type", Buffer.from([0x08, 0x01])],
    ["a string that is not UTF-8", field(2, field(3, Buffer.from([0xc3, 0x28])))],
    ["a lone surrogate in WTF-8", field(2, field(3, Buffer.from([0xed, 0xa0, 0x80])))],
  ])("refuses %s", async (_, bytes) => {
    expect(await raw.unary(CREATE, bytes)).toMatchObject({
      code: status.INVALID_ARGUMENT,
      reason: "REQUEST_MALFORMED",
      metadata: { method: CREATE },
    });
  });

  it("refuses a message over the limit, and names the limit", async () => {
    const text = "x".repeat(17 * 1024 * 1024);
    const bytes = toBinary(
      CreateMemoryRequestSchema,
      create(CreateMemoryRequestSchema, { memory: { text } }),
    );
    expect(await raw.unary(CREATE, bytes)).toMatchObject({
      code: status.RESOURCE_EXHAUSTED,
      reason: "REQUEST_TOO_LARGE",
      metadata: { max_bytes: "16777216" },
    });
  });

  it("distinguishes an unknown method from one that is not served yet", async () => {
    expect(await raw.unary("/recollect.v1.MemoryService/Nonsense", Buffer.alloc(0))).toMatchObject({
      code: status.UNIMPLEMENTED,
      reason: "METHOD_UNKNOWN",
      metadata: { method: "/recollect.v1.MemoryService/Nonsense" },
    });
    expect(await raw.unary("/no.Such/Service", Buffer.alloc(0))).toMatchObject({ reason: "METHOD_UNKNOWN" });
  });

  it("answers UNIMPLEMENTED from every RPC that has no handler, and from no other", async () => {
    for (const service of [MemoryService, CacheService, CompactionService, OperationsService]) {
      for (const method of service.methods) {
        const path = `/${service.typeName}/${method.name}`;
        // A unary client would wait forever for the end of a stream with two messages.
        const { code, reason } = await raw.stream(path, [Buffer.alloc(0)]);
        const served = SERVED[service.typeName]?.includes(method.name) ?? false;
        if (served) expect([path, reason]).not.toEqual([path, "METHOD_NOT_SERVED"]);
        else expect([path, code, reason]).toEqual([path, status.UNIMPLEMENTED, "METHOD_NOT_SERVED"]);
      }
    }
  });

  it.each([
    ["an empty text", { memory: { text: "" } }, "memory.text"],
    ["a text over 64 KiB", { memory: { text: "é".repeat(32 * 1024 + 1) } }, "memory.text"],
    ["no memory", {}, "memory"],
    ["an invalid id", { memory: { text: "x", id: "-no" } }, "memory.id"],
    ["an invalid namespace", { namespace: "No", memory: { text: "x" } }, "namespace"],
    ["too many tags", { memory: { text: "x", tags: Array.from({ length: 33 }, String) } }, "memory.tags"],
    ["an empty tag", { memory: { text: "x", tags: [""] } }, "memory.tags[0]"],
    ["the same tag twice", { memory: { text: "x", tags: ["a", "a"] } }, "memory.tags"],
    ["an importance above 1", { memory: { text: "x", importance: 1.5 } }, "memory.importance"],
    ["an importance of NaN", { memory: { text: "x", importance: Number.NaN } }, "memory.importance"],
    ["an unknown kind", { memory: { text: "x", kind: 99 } }, "memory.kind"],
    ["a TTL of zero", ttl(0n), "memory.ttl"],
    ["an expire time in the past", expires(1n), "memory.expire_time"],
    [
      "a time beyond the year 9999",
      { memory: { text: "x", eventTime: { seconds: 1n << 60n } } },
      "memory.event_time",
    ],
    ["a validity end before its start", validity(), "memory.valid_until"],
    ["too many metadata keys", metadata(65), "memory.metadata"],
    [
      "metadata over 16 KiB",
      { memory: { text: "x", metadata: { key: "x".repeat(16 * 1024) } } },
      "memory.metadata",
    ],
    ["metadata nested too deep", { memory: { text: "x", metadata: nested(17) } }, "memory.metadata"],
    ["an integer beyond 2^53", { memory: { text: "x", metadata: { n: 2 ** 53 } } }, "memory.metadata.n"],
    [
      "a negative integer beyond 2^53",
      { memory: { text: "x", metadata: { a: [-(2 ** 60)] } } },
      "memory.metadata.a.0",
    ],
    ["an empty request_id", { memory: { text: "x" }, requestId: "" }, "request_id"],
  ])("refuses %s and names the field", async (_, request, path) => {
    const refusal = await refusalOf(app.memory.createMemory(request as object));
    expect(refusal).toMatchObject({ code: "InvalidArgument", reason: "REQUEST_INVALID" });
    expect(refusal.fields).toContain(path);
  });

  it.each([
    ["no query", {}, "REQUEST_INVALID", "query"],
    ["an empty query", { query: { by: { case: "text", value: "" } } }, "REQUEST_INVALID", "query.text"],
    ["a limit over 100", { ...query(), limit: 101 }, "REQUEST_INVALID", "limit"],
    ["a negative limit", { ...query(), limit: -1 }, "REQUEST_INVALID", "limit"],
    ["a similarity over 1", { ...query(), minSimilarity: 1.1 }, "REQUEST_INVALID", "min_similarity"],
    [
      "a filter by a list",
      { ...query(), filter: { metadata: { a: [1] } } },
      "REQUEST_INVALID",
      "filter.metadata.a",
    ],
    ["a reversed span", { ...query(), filter: reversed() }, "REQUEST_INVALID", "filter.create_time"],
    ["mode KEYWORD with a vector", { ...vector(384), mode: 3 }, "REQUEST_INVALID", "mode"],
    ["a vector of the wrong length", vector(10), "VECTOR_DIMENSION_MISMATCH", "query.vector"],
    ["a vector of zeros", vector(384), "VECTOR_INVALID", "query.vector"],
    ["a vector of an odd number of bytes", bytes(7), "VECTOR_DIMENSION_MISMATCH", "query.vector"],
  ])("refuses a search with %s", async (_, request, reason, path) => {
    const refusal = await refusalOf(app.memory.searchMemories(request as object));
    expect(refusal).toMatchObject({ reason });
    expect(refusal.fields).toContain(path);
  });

  it.each([
    ["no filter", {}, "filter"],
    ["an empty filter", { filter: {} }, "filter"],
    ["empty lists and texts", { filter: { userId: "", tagsAny: [], kinds: [] } }, "filter"],
    ["an empty span", { filter: { createTime: {} } }, "filter.create_time"],
    ["an empty range", { filter: { importance: {} } }, "filter.importance"],
    ["empty metadata", { filter: { metadata: {} } }, "filter.metadata"],
    ["metadata with an empty object", { filter: { metadata: { k: {} } } }, "filter.metadata.k"],
    ["an integer beyond 2^53", { filter: { metadata: { k: 2 ** 53 } } }, "filter.metadata.k"],
  ])("refuses a purge with %s, and names the empty field", async (_, request, path) => {
    const refusal = await refusalOf(app.memory.purgeMemories({ ...request, force: true } as object));
    expect(refusal).toMatchObject({ code: "InvalidArgument", reason: "REQUEST_INVALID", fields: [path] });
  });

  it.each([
    ['{"userID": "ana"}', "FIELD_UNKNOWN", "filter.userID"],
    ['{"kinds": ["message"]}', "REQUEST_INVALID", "filter.kinds[0]"],
    ['{"userId": ""}', "REQUEST_INVALID", "filter.user_id"],
    ['{"tagsAny": []}', "REQUEST_INVALID", "filter.tags_any"],
    ['{"createTime": {}}', "REQUEST_INVALID", "filter.create_time"],
    ['{"metadata": {"k": {}}}', "REQUEST_INVALID", "filter.metadata.k"],
  ])(
    "refuses a filter that is written %s in JSON, of a purge and of a search",
    async (filter, reason, field) => {
      for (const [path, rest] of [
        ["/recollect.v1.MemoryService/PurgeMemories", '"force": true'],
        [SEARCH, '"query": {"text": "x"}'],
      ] as const) {
        const response = await fetch(`${app.httpUrl}${path}`, {
          method: "POST",
          headers: { "content-type": 'application/json; charset="utf-8"' },
          body: `{"filter": ${filter}, ${rest}}`,
        });
        expect([response.status, await response.json()]).toMatchObject([
          400,
          { details: [{ debug: { reason } }, { debug: { fieldViolations: [{ field }] } }] },
        ]);
      }
    },
  );

  it("refuses malformed protobuf over HTTP as over gRPC", async () => {
    for (const body of [Buffer.from([0xff, 0xff, 0xff]), field(2, field(3, Buffer.from([0xc3, 0x28])))]) {
      const response = await fetch(`${app.httpUrl}${CREATE}`, {
        method: "POST",
        headers: { "content-type": "application/proto" },
        body,
      });
      const { code, details } = (await response.json()) as { code: string; details: object[] };
      expect([response.status, code, details[0]]).toMatchObject([
        400,
        "invalid_argument",
        { debug: { reason: "REQUEST_MALFORMED" } },
      ]);
    }
  });

  it("returns refused batch items with their details as JSON", async () => {
    const response = await fetch(`${app.httpUrl}/recollect.v1.MemoryService/BatchCreateMemories`, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: '{"memories": [{"text": ""}]}',
    });
    expect([response.status, await response.json()]).toMatchObject([
      200,
      {
        results: [
          {
            error: {
              code: 3,
              details: [
                { "@type": "type.googleapis.com/google.rpc.ErrorInfo", reason: "REQUEST_INVALID" },
                { fieldViolations: [{ field: "memories[0].text" }] },
              ],
            },
          },
        ],
      },
    ]);
  });

  it.each([
    ["no model", { scope: {} }, "scope.model"],
    ["a chat that ends with the assistant", { prompt: chat("assistant") }, "prompt.chat"],
    ["shared and principal", { scope: { model: "m", shared: true, principal: "p" } }, "scope"],
    ["a threshold over 1", { options: { threshold: 2 } }, "options.threshold"],
  ])("refuses a lookup with %s", async (_, change, path) => {
    const request = { prompt: { prompt: { case: "text", value: "q" } }, scope: { model: "m" }, ...change };
    const refusal = await refusalOf(app.cache.lookupCache(request as object));
    expect(refusal).toMatchObject({ code: "InvalidArgument", reason: "REQUEST_INVALID" });
    expect(refusal.fields).toContain(path);
  });

  it("refuses a field that is not served yet, and names it", async () => {
    const request = { prompt: { prompt: { case: "text" as const, value: "q" } }, scope: { model: "m" } };
    const refusal = await refusalOf(app.cache.lookupCache({ ...request, options: { lease: true } }));
    expect(refusal).toMatchObject({ reason: "FIELD_NOT_SERVED", fields: ["options.lease"] });
  });

  it("refuses a response over 1 MiB and a TTL over a year", async () => {
    const request = {
      prompt: { prompt: { case: "text" as const, value: "q" } },
      origin: { case: "scope" as const, value: { model: "m" } },
    };
    const large = await refusalOf(
      app.cache.storeCacheEntry({ ...request, response: "x".repeat(1024 * 1024 + 1) }),
    );
    expect(large.fields).toEqual(["response"]);
    const long = await refusalOf(
      app.cache.storeCacheEntry({ ...request, response: "x", ttl: { seconds: BigInt(365 * 86_400 + 1) } }),
    );
    expect(long.fields).toEqual(["ttl"]);
  });

  it("enforces a deadline, and treats one beyond the range of a timer as none", async () => {
    const search = toBinary(
      SearchMemoriesRequestSchema,
      create(SearchMemoriesRequestSchema, { query: { by: { case: "text", value: "x" } } }),
    );
    const far = new Date(Date.now() + 60 * 24 * 3600 * 1000);
    expect(await raw.unary(SEARCH, search, { deadline: far })).toMatchObject({ code: status.OK });
    const month = new Date(Date.now() + 30 * 24 * 3600 * 1000);
    expect(await raw.unary(SEARCH, search, { deadline: month })).toMatchObject({ code: status.OK });
  });
});

function query(): object {
  return { query: { by: { case: "text", value: "x" } } };
}

function bytes(length: number): object {
  return { query: { by: { case: "vector", value: new Uint8Array(length) } } };
}

function vector(dimension: number): object {
  return bytes(4 * dimension);
}

function ttl(seconds: bigint): object {
  return { memory: { text: "x", expiration: { case: "ttl", value: { seconds } } } };
}

function expires(seconds: bigint): object {
  return { memory: { text: "x", expiration: { case: "expireTime", value: { seconds } } } };
}

function validity(): object {
  return { memory: { text: "x", validFrom: { seconds: 2n }, validUntil: { seconds: 1n } } };
}

function reversed(): object {
  return { createTime: { start: { seconds: 2n }, end: { seconds: 1n } } };
}

function metadata(keys: number): object {
  return {
    memory: { text: "x", metadata: Object.fromEntries(Array.from({ length: keys }, (_, key) => [key, 1])) },
  };
}

function nested(depth: number): object {
  return depth === 1 ? { leaf: 1 } : { deeper: nested(depth - 1) };
}

function chat(lastRole: string): object {
  return { prompt: { case: "chat", value: { messages: [{ role: lastRole, content: "x" }] } } };
}
