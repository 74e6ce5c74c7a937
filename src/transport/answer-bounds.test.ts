import { create, type DescMessage, type MessageInitShape, toBinary } from "@bufbuild/protobuf";
import { describe, expect, it } from "vitest";
import {
  CacheEntrySchema,
  LookupCacheResponseSchema,
  StoreCacheEntryResponseSchema,
} from "#gen/recollect/v1/cache_pb.js";
import {
  GetCompactionResponseSchema,
  UndoCompactionResponseSchema,
} from "#gen/recollect/v1/compaction_pb.js";
import {
  CreateMemoryResponseSchema,
  ListNamespacesResponseSchema,
  MemorySchema,
} from "#gen/recollect/v1/memory_pb.js";
import {
  GetEmbeddingInfoResponseSchema,
  GetIndexInfoResponseSchema,
  GetServerInfoResponseSchema,
} from "#gen/recollect/v1/operations_pb.js";
import { MAX_GROUPS_BYTES } from "../services/compaction/start-compaction.ts";
import { cacheHandlers } from "./handlers/cache/index.ts";
import { compactionHandlers } from "./handlers/compaction/index.ts";
import { MAX_RUNS_BYTES } from "./handlers/compaction/list-compactions.ts";
import { memoryHandlers } from "./handlers/memory/index.ts";
import { operationsHandlers } from "./handlers/operations/index.ts";

const MIB = 1024 * 1024;
/** A text of characters with the maximum UTF-8 length. */
const characters = (count: number): string => "🎉".repeat(count);
const bytes = (count: number): string => "x".repeat(count);
const many = <T>(count: number, value: T): T[] => Array.from({ length: count }, () => value);
const TIME = { seconds: 253_402_300_799n, nanos: 999_000_000 };
/** 16 KiB of JSON that take most bytes as a Struct: two bytes a number become eleven. */
const METADATA = { a: many(8186, 1) };

/** Every field at its maximum length, by its rule or by the server. */
const MEMORY = create(MemorySchema, {
  id: bytes(128),
  namespace: bytes(63),
  text: bytes(64 * 1024),
  userId: characters(256),
  agentId: characters(256),
  sessionId: characters(256),
  sessionPosition: 2 ** 31 - 1,
  role: characters(64),
  author: characters(256),
  tags: many(32, characters(64)),
  metadata: METADATA,
  importance: 1,
  pinned: true,
  eventTime: TIME,
  validFrom: TIME,
  validUntil: TIME,
  expiration: { case: "expireTime", value: TIME },
  createTime: TIME,
  updateTime: TIME,
  state: 4,
  supersedes: many(32, characters(128)),
  supersededBy: bytes(128),
  sourceIds: many(256, characters(128)),
  flags: many(32, characters(64)),
  etag: bytes(64),
  embedding: { state: 4, provider: bytes(64), model: characters(256), dimension: 4096, truncated: true },
  lastAccessTime: TIME,
  accessCount: 2n ** 62n,
});

const ENTRY = create(CacheEntrySchema, {
  id: bytes(64),
  namespace: bytes(63),
  prompt: bytes(256 * 1024),
  response: bytes(1024 * 1024),
  model: bytes(200),
  tags: many(32, characters(64)),
  metadata: METADATA,
  usage: { promptTokens: 2 ** 31 - 1, completionTokens: 2 ** 31 - 1, generationTime: TIME, costUsd: 1 },
  createTime: TIME,
  expireTime: TIME,
  etag: bytes(64),
});

/** Two for each partition, at the maximum of REDIS_PARTITIONS. */
const INDEXES = 2 * 1024;
const REEMBEDDING = { id: bytes(128), provider: bytes(64), model: characters(256), failure: bytes(4096) };

const sizeOf = <Desc extends DescMessage>(schema: Desc, message: MessageInitShape<Desc>): number =>
  toBinary(schema, create(schema, message)).length;

const oneMemory = sizeOf(CreateMemoryResponseSchema, { memory: MEMORY, duplicate: true });
const oneEntry = sizeOf(LookupCacheResponseSchema, {
  decisionId: bytes(512),
  outcome: { case: "hit", value: { entry: ENTRY, match: 2, similarity: 1, threshold: 1, age: TIME } },
});
const oneReembedding = sizeOf(GetEmbeddingInfoResponseSchema, {
  provider: bytes(64),
  model: characters(256),
  reembedding: REEMBEDDING,
});
const NUMBERS = 1024;

const POLICY = {
  ...{ strategy: 4, level: 3, keepRecent: TIME, keepImportant: TIME, minImportance: 1 },
  ...{ maxAffectedFraction: 1, scheduled: true, etag: bytes(64) },
};
const MOST = 2 ** 31 - 1;
/** Of each action and reason. */
const COUNTS = many(5 * 11, { action: 5, reason: 11, groupCount: MOST, memoryCount: MOST });
const COMPACTION = {
  ...{ id: bytes(128), namespace: bytes(63), userId: characters(256), strategy: 4, level: 3, state: 7 },
  ...{ examinedCount: MOST, affectedCount: MOST, createdCount: MOST, createTime: TIME, endTime: TIME },
  ...{ undoExpireTime: TIME, approvalExpireTime: TIME, etag: bytes(64), counts: COUNTS, policy: POLICY },
  ...{ groupCount: MOST, doneGroupCount: MOST, tokensBefore: 2n ** 62n, tokensAfter: 2n ** 62n },
  error: { code: 13, message: bytes(4096), details: [] },
};
const oneRun = sizeOf(GetCompactionResponseSchema, { compaction: COMPACTION, nextPageToken: bytes(1024) });
/** Without its texts. */
const oneGroup = sizeOf(GetCompactionResponseSchema, {
  groups: [
    {
      ...{
        number: MOST,
        action: 5,
        reason: 11,
        similarity: 1,
        tokensBefore: MOST,
        tokensAfter: MOST,
        state: 3,
      },
      members: many(256, { memoryId: bytes(128), etag: bytes(64) }),
      survivor: { memoryId: bytes(200), etag: bytes(64) },
      findings: many(64, bytes(64)),
    },
  ],
});

/** The bytes of the largest answer of each unary RPC that is served, or that its request bounds them. */
const LARGEST: Readonly<Record<string, number | "max_answer_bytes">> = {
  "MemoryService.CreateMemory": oneMemory,
  "MemoryService.BatchCreateMemories": "max_answer_bytes",
  "MemoryService.GetMemory": oneMemory,
  "MemoryService.BatchGetMemories": "max_answer_bytes",
  "MemoryService.ListMemories": "max_answer_bytes",
  "MemoryService.UpdateMemory": oneMemory,
  "MemoryService.ListMemoryRevisions": "max_answer_bytes",
  "MemoryService.RestoreMemory": oneMemory,
  "MemoryService.DeleteMemory": 0,
  "MemoryService.PurgeMemories": NUMBERS,
  "MemoryService.SearchMemories": "max_answer_bytes",
  "MemoryService.ListNamespaces": sizeOf(ListNamespacesResponseSchema, {
    namespaces: many(1000, bytes(63)),
    nextPageToken: bytes(1024),
  }),
  "MemoryService.GetNamespaceStats": NUMBERS,
  "MemoryService.DeleteNamespace": NUMBERS,
  "CacheService.LookupCache": oneEntry,
  "CacheService.StoreCacheEntry": sizeOf(StoreCacheEntryResponseSchema, { entry: ENTRY, replaced: true }),
  "CacheService.GetCacheEntry": oneEntry,
  "CacheService.ListCacheEntries": "max_answer_bytes",
  "CacheService.DeleteCacheEntry": 0,
  "CacheService.InvalidateCache": NUMBERS,
  "CacheService.ReportCacheOutcome": NUMBERS,
  "CacheService.GetCacheStats": NUMBERS,
  "CacheService.GetCachePolicy": NUMBERS,
  "CacheService.UpdateCachePolicy": NUMBERS,
  "CompactionService.StartCompaction": MAX_GROUPS_BYTES + oneRun + oneGroup,
  "CompactionService.GetCompaction": MAX_GROUPS_BYTES + oneRun + oneGroup,
  "CompactionService.ListCompactions": MAX_RUNS_BYTES + oneRun,
  "CompactionService.ApproveCompaction": oneRun,
  "CompactionService.CancelCompaction": oneRun,
  "CompactionService.UndoCompaction": sizeOf(UndoCompactionResponseSchema, {
    compaction: COMPACTION,
    conflictIds: many(10_000, bytes(128)),
  }),
  "CompactionService.GetCompactionPolicy": NUMBERS,
  "CompactionService.UpdateCompactionPolicy": NUMBERS,
  "OperationsService.GetServerInfo": sizeOf(GetServerInfoResponseSchema, {
    version: bytes(64),
    backendVersion: bytes(64),
    modules: many(64, bytes(256)),
    persistence: many(16, bytes(64)),
    capabilities: Object.fromEntries(many(64, bytes(256)).map((value, at) => [`${at}${value}`, value])),
  }),
  "OperationsService.GetIndexInfo": sizeOf(GetIndexInfoResponseSchema, {
    indexes: many(INDEXES, { name: bytes(512), content: 1, memoryBytes: 2n ** 62n, algorithm: bytes(16) }),
  }),
  "OperationsService.GetEmbeddingInfo": oneReembedding,
  "OperationsService.StartReembedding": oneReembedding,
  "OperationsService.GetReembedding": oneReembedding,
};

/** These contain groups of a plan, up to 3 MiB with their texts. */
const WITH_GROUPS = ["CompactionService.StartCompaction", "CompactionService.GetCompaction"];

const SERVED = [
  memoryHandlers({} as Parameters<typeof memoryHandlers>[0]),
  cacheHandlers({} as Parameters<typeof cacheHandlers>[0]),
  compactionHandlers({} as Parameters<typeof compactionHandlers>[0]),
  operationsHandlers({} as Parameters<typeof operationsHandlers>[0]),
].flatMap(({ service, handlers }) =>
  service.methods.filter(({ localName, methodKind }) => methodKind === "unary" && handlers[localName]),
);
const nameOf = (method: (typeof SERVED)[number]): string => `${method.parent.name}.${method.name}`;

describe("the responses of unary RPCs", () => {
  it("are all covered here", () => {
    expect(SERVED.map(nameOf).toSorted()).toEqual(Object.keys(LARGEST).toSorted());
  });

  it.each(SERVED.map((method) => [nameOf(method), method] as const))(
    "of %s are bounded by its limits or by its request",
    (name, method) => {
      const largest = LARGEST[name];
      const isBounded = method.input.fields.some((field) => field.name === "max_answer_bytes");
      expect(isBounded).toBe(largest === "max_answer_bytes");
      const limit = WITH_GROUPS.includes(name) ? 3.5 * MIB : 1.5 * MIB;
      if (largest !== "max_answer_bytes") expect(largest).toBeLessThanOrEqual(limit);
    },
  );

  it("fit at least one memory or one entry into any page", () => {
    expect(Math.max(oneMemory, oneEntry)).toBeLessThan(2 * MIB);
  });
});
