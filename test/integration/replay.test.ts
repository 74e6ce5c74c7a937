import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { MessageShape } from "@bufbuild/protobuf";
import { createRegistry, type DescMessage, type DescMethod, toJson } from "@bufbuild/protobuf";
import { MethodOptions_IdempotencyLevel as Idempotency } from "@bufbuild/protobuf/wkt";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { file_google_rpc_error_details } from "#gen/google/rpc/error_details_pb.js";
import {
  CacheGuard,
  DeleteCacheEntryResponseSchema,
  InvalidateCacheResponseSchema,
  ReportCacheOutcomeRequest_Outcome,
  ReportCacheOutcomeResponseSchema,
  StoreCacheEntryResponseSchema,
  UpdateCachePolicyResponseSchema,
} from "#gen/recollect/v1/cache_pb.js";
import {
  CancelCompactionResponseSchema,
  type Compaction,
  UndoCompactionResponseSchema,
  UpdateCompactionPolicyResponseSchema,
} from "#gen/recollect/v1/compaction_pb.js";
import {
  BatchCreateMemoriesResponseSchema,
  CreateMemoryResponseSchema,
  DeleteMemoryResponseSchema,
  DeleteNamespaceResponseSchema,
  Memory_State,
  PurgeMemoriesResponseSchema,
  RestoreMemoryResponseSchema,
  UpdateMemoryResponseSchema,
} from "#gen/recollect/v1/memory_pb.js";
import { onRedis } from "../support/backend-of-run.ts";
import { NOW } from "../support/builders.ts";
import { refusalOf } from "../support/errors.ts";
import { pathOf, servedMethods } from "../support/served.ts";
import { startApp, type TestApp } from "../support/start-app.ts";

/** A mutation and the observation of its effect. Each row uses a namespace of its own. */
interface Row {
  /** Creates the required data. */
  readonly prepare?: (app: TestApp, namespace: string) => Promise<unknown>;
  /** The mutation; returns the whole response as JSON. */
  readonly call: (app: TestApp, namespace: string, requestId: string) => Promise<unknown>;
  /** The same request_id with another body; it is refused. */
  readonly other: (app: TestApp, namespace: string, requestId: string) => Promise<unknown>;
  /** The other body is of another namespace, which Redis may store in another partition, without the request_id. */
  readonly otherIsElsewhere?: boolean;
  /** Creates data that a second execution would change or delete; runs before the last replays. */
  readonly recreate?: (app: TestApp, namespace: string) => Promise<unknown>;
}

const text = (value: string) => ({ prompt: { case: "text" as const, value } });
const origin = { case: "scope" as const, value: { model: "m" } };

const registry = createRegistry(file_google_rpc_error_details);

function json<Desc extends DescMessage>(
  schema: Desc,
  response: Promise<MessageShape<Desc>>,
): Promise<unknown> {
  return response.then((message) => toJson(schema, message, { registry }));
}

const remember = (id: string) => (app: TestApp, namespace: string) =>
  app.memory.createMemory({ namespace, memory: { id, text: `fact ${id}` } });

const answer = (app: TestApp, namespace: string) =>
  app.cache.storeCacheEntry({ namespace, prompt: text("kept"), origin, response: "kept" });

/** Two equal memories, which a compaction merges. */
const twins = async (app: TestApp, namespace: string): Promise<void> => {
  for (const id of ["one", "two"]) {
    await app.memory.createMemory({ namespace, memory: { id, text: "the same twice" }, onDuplicate: 2 });
  }
};

/** Starts a compaction and waits until it has ended or awaits approval. */
const compact = async (app: TestApp, namespace: string, requireApproval: boolean): Promise<void> => {
  await twins(app, namespace);
  runs.set(namespace, await startedRun(app, namespace, requireApproval));
};

async function startedRun(
  app: TestApp,
  namespace: string,
  requireApproval: boolean,
): Promise<{ readonly id: string; readonly etag: string }> {
  const overrides = { keepRecent: { seconds: 0n } };
  const { compaction } = await app.compaction.startCompaction({ namespace, overrides, requireApproval });
  const run = await settled(app, namespace, compaction?.id ?? "");
  return { id: run?.id ?? "", etag: run?.etag ?? "" };
}

/** The run when it has ended or awaits approval. */
async function settled(app: TestApp, namespace: string, id: string): Promise<Compaction | undefined> {
  const watched = await Array.fromAsync(app.compaction.watchCompaction({ namespace, id }));
  return watched.at(-1)?.compaction;
}

/** A call whose response shows a run that goes on: the run when it has ended. */
async function outcomeOf(
  app: TestApp,
  namespace: string,
  call: Promise<{ readonly compaction?: Compaction | undefined }>,
): Promise<unknown> {
  const { compaction } = await call;
  const run = await settled(app, namespace, compaction?.id ?? "");
  return run && [run.id, run.state, run.affectedCount];
}

/** The compaction of a namespace. */
const runs = new Map<string, { readonly id: string; readonly etag: string }>();
const otherRuns = new Map<string, { readonly id: string }>();
const runOf = (namespace: string) => runs.get(namespace) ?? { id: "", etag: "" };

/** The id of the entry of `answer` in the namespace, for its deletion after it has been deleted. */
const entryIds = new Map<string, string>();
const decisionIds = new Map<string, string>();

/** It changes no namespace, and has a test of its own below. */
const REEMBEDDING = "/recollect.v1.OperationsService/StartReembedding";

const ROWS: Readonly<Record<string, Row>> = {
  "/recollect.v1.MemoryService/CreateMemory": {
    call: (app, namespace, requestId) =>
      json(
        CreateMemoryResponseSchema,
        app.memory.createMemory({
          namespace,
          requestId,
          memory: { text: "once", sessionId: "s" },
          onDuplicate: 2,
        }),
      ),
    other: (app, namespace, requestId) =>
      app.memory.createMemory({ namespace, requestId, memory: { text: "other" } }),
  },
  "/recollect.v1.MemoryService/BatchCreateMemories": {
    call: (app, namespace, requestId) =>
      json(
        BatchCreateMemoriesResponseSchema,
        app.memory.batchCreateMemories({
          namespace,
          requestId,
          // One is stored, one is its duplicate, one is refused by a rule, one by the store.
          memories: [
            { id: "a", text: "once" },
            { id: "b", text: "ONCE", tags: ["x"], pinned: true },
            { id: "c", text: "" },
            { id: "a", text: "taken" },
          ],
        }),
      ),
    other: (app, namespace, requestId) =>
      app.memory.batchCreateMemories({ namespace, requestId, memories: [{ id: "a", text: "once" }] }),
  },
  "/recollect.v1.MemoryService/UpdateMemory": {
    prepare: remember("m"),
    call: (app, namespace, requestId) =>
      json(
        UpdateMemoryResponseSchema,
        app.memory.updateMemory({ namespace, requestId, memory: { id: "m", text: "changed" } }),
      ),
    other: (app, namespace, requestId) =>
      app.memory.updateMemory({ namespace, requestId, memory: { id: "m", text: "other" } }),
  },
  "/recollect.v1.MemoryService/RestoreMemory": {
    prepare: async (app, namespace) => {
      await remember("m")(app, namespace);
      await app.memory.updateMemory({ namespace, memory: { id: "m", text: "changed" } });
    },
    call: (app, namespace, requestId) =>
      json(
        RestoreMemoryResponseSchema,
        app.memory.restoreMemory({ namespace, requestId, id: "m", revision: 1 }),
      ),
    other: (app, namespace, requestId) =>
      app.memory.restoreMemory({ namespace, requestId, id: "m", revision: 2 }),
  },
  "/recollect.v1.MemoryService/DeleteMemory": {
    prepare: remember("m"),
    call: (app, namespace, requestId) =>
      json(DeleteMemoryResponseSchema, app.memory.deleteMemory({ namespace, requestId, id: "m" })),
    other: (app, namespace, requestId) => app.memory.deleteMemory({ namespace, requestId, id: "n" }),
    recreate: remember("m"),
  },
  "/recollect.v1.MemoryService/PurgeMemories": {
    prepare: async (app, namespace) => {
      for (const id of ["a", "b", "c"]) await remember(id)(app, namespace);
    },
    call: (app, namespace, requestId) =>
      json(
        PurgeMemoriesResponseSchema,
        app.memory.purgeMemories({
          namespace,
          requestId,
          filter: { states: [Memory_State.ACTIVE] },
          force: true,
        }),
      ),
    other: (app, namespace, requestId) =>
      app.memory.purgeMemories({ namespace, requestId, filter: { userId: "u" }, force: true }),
    recreate: remember("a"),
  },
  "/recollect.v1.MemoryService/DeleteNamespace": {
    prepare: remember("m"),
    call: (app, namespace, requestId) =>
      json(DeleteNamespaceResponseSchema, app.memory.deleteNamespace({ namespace, requestId, force: true })),
    other: (app, _, requestId) => app.memory.deleteNamespace({ namespace: "other", requestId, force: true }),
    otherIsElsewhere: true,
    recreate: remember("m"),
  },
  "/recollect.v1.CacheService/StoreCacheEntry": {
    call: (app, namespace, requestId) =>
      json(
        StoreCacheEntryResponseSchema,
        app.cache.storeCacheEntry({ namespace, requestId, prompt: text("q"), origin, response: "once" }),
      ),
    other: (app, namespace, requestId) =>
      app.cache.storeCacheEntry({ namespace, requestId, prompt: text("q"), origin, response: "other" }),
  },
  "/recollect.v1.CacheService/DeleteCacheEntry": {
    prepare: async (app, namespace) => {
      const { entry } = await answer(app, namespace);
      entryIds.set(namespace, entry?.id ?? "");
    },
    call: (app, namespace, requestId) =>
      json(
        DeleteCacheEntryResponseSchema,
        app.cache.deleteCacheEntry({ namespace, requestId, id: entryIds.get(namespace) ?? "" }),
      ),
    other: (app, namespace, requestId) => app.cache.deleteCacheEntry({ namespace, requestId, id: "another" }),
    recreate: answer,
  },
  "/recollect.v1.CacheService/ReportCacheOutcome": {
    prepare: async (app, namespace) => {
      await answer(app, namespace);
      const lookup = { namespace, prompt: text("kept"), scope: origin.value };
      decisionIds.set(namespace, (await app.cache.lookupCache(lookup)).decisionId);
    },
    call: (app, namespace, requestId) =>
      json(
        ReportCacheOutcomeResponseSchema,
        app.cache.reportCacheOutcome({
          ...{ namespace, requestId, decisionId: decisionIds.get(namespace) ?? "" },
          outcome: ReportCacheOutcomeRequest_Outcome.STALE,
        }),
      ),
    other: (app, namespace, requestId) =>
      app.cache.reportCacheOutcome({
        ...{ namespace, requestId, decisionId: decisionIds.get(namespace) ?? "" },
        outcome: ReportCacheOutcomeRequest_Outcome.CORRECT,
      }),
  },
  "/recollect.v1.CacheService/InvalidateCache": {
    prepare: answer,
    call: (app, namespace, requestId) =>
      json(InvalidateCacheResponseSchema, app.cache.invalidateCache({ namespace, requestId, model: "m" })),
    other: (app, namespace, requestId) =>
      app.cache.invalidateCache({ namespace, requestId, model: "another" }),
    recreate: answer,
  },
  "/recollect.v1.CacheService/UpdateCachePolicy": {
    call: (app, namespace, requestId) =>
      json(
        UpdateCachePolicyResponseSchema,
        app.cache.updateCachePolicy({ namespace, requestId, policy: { guard: CacheGuard.CLOSED } }),
      ),
    other: (app, namespace, requestId) =>
      app.cache.updateCachePolicy({ namespace, requestId, policy: { guard: CacheGuard.OFF } }),
  },
  "/recollect.v1.CompactionService/StartCompaction": {
    prepare: twins,
    call: (app, namespace, requestId) =>
      outcomeOf(
        app,
        namespace,
        app.compaction.startCompaction({ namespace, requestId, overrides: { keepRecent: { seconds: 0n } } }),
      ),
    other: (app, namespace, requestId) => app.compaction.startCompaction({ namespace, requestId }),
  },
  "/recollect.v1.CompactionService/ApproveCompaction": {
    prepare: (app, namespace) => compact(app, namespace, true),
    call: (app, namespace, requestId) =>
      outcomeOf(
        app,
        namespace,
        app.compaction.approveCompaction({ namespace, requestId, ...runOf(namespace) }),
      ),
    other: (app, namespace, requestId) =>
      app.compaction.approveCompaction({ namespace, requestId, ...runOf(namespace), etag: "another" }),
  },
  "/recollect.v1.CompactionService/CancelCompaction": {
    prepare: (app, namespace) => compact(app, namespace, true),
    call: (app, namespace, requestId) =>
      json(
        CancelCompactionResponseSchema,
        app.compaction.cancelCompaction({ namespace, requestId, id: runOf(namespace).id }),
      ),
    recreate: async (app, namespace) => {
      otherRuns.set(namespace, await startedRun(app, namespace, true));
    },
    other: (app, namespace, requestId) =>
      app.compaction.cancelCompaction({ namespace, requestId, id: otherRuns.get(namespace)?.id ?? "" }),
  },
  "/recollect.v1.CompactionService/UndoCompaction": {
    prepare: (app, namespace) => compact(app, namespace, false),
    call: (app, namespace, requestId) =>
      json(
        UndoCompactionResponseSchema,
        app.compaction.undoCompaction({ namespace, requestId, id: runOf(namespace).id }),
      ),
    other: (app, namespace, requestId) =>
      app.compaction.undoCompaction({ namespace, requestId, id: runOf(namespace).id, memoryId: "one" }),
  },
  "/recollect.v1.CompactionService/UpdateCompactionPolicy": {
    call: (app, namespace, requestId) =>
      json(
        UpdateCompactionPolicyResponseSchema,
        app.compaction.updateCompactionPolicy({ namespace, requestId, policy: { minImportance: 0.5 } }),
      ),
    other: (app, namespace, requestId) =>
      app.compaction.updateCompactionPolicy({ namespace, requestId, policy: { minImportance: 0.75 } }),
  },
};

/** Served mutations without a request_id, each with the reason. */
const WITHOUT_REQUEST_ID: Readonly<Record<string, string>> = {
  "/recollect.v1.MemoryService/ImportMemories":
    "a repetition skips existing ids; see the test below and memory-transfer.test.ts",
  "/recollect.v1.OperationsService/RebuildIndex":
    "it changes no stored data: a repetition rebuilds the same indexes",
};

/** All data of a namespace that a mutation may change. */
async function stateOf(app: TestApp, namespace: string): Promise<unknown> {
  const { memories } = await app.memory.listMemories({ namespace });
  const { entries } = await app.cache.listCacheEntries({ namespace });
  const { stores, entryCount } = await app.cache.getCacheStats({ namespace });
  const { policy } = await app.cache.getCachePolicy({ namespace });
  const { compactions } = await app.compaction.listCompactions({ namespace });
  const { policy: compactionPolicy } = await app.compaction.getCompactionPolicy({ namespace });
  return { memories, entries, stores, entryCount, policy, compactions, compactionPolicy };
}

describe("a mutation that is repeated with its request_id", () => {
  let dataDir: string;
  let app: TestApp;
  let clock = NOW;
  // No two looks at the clock see the same time: what is done twice does not look the same.
  const start = (): Promise<TestApp> =>
    startApp({
      dataDir,
      overrides: {
        clock: {
          now: () => {
            clock += 1;
            return clock;
          },
        },
      },
    });
  beforeAll(async () => {
    dataDir = await mkdtemp(join(tmpdir(), "recollect-replay-"));
    app = await start();
  });
  afterAll(async () => {
    await app[Symbol.asyncDispose]();
    await rm(dataDir, { recursive: true, force: true });
  });

  it("is in the table above when it is served: with a request_id, or with the reason for none", async () => {
    const served = await servedMethods(app.grpcAddress);
    const takes = ({ input }: DescMethod): boolean => input.fields.some(({ name }) => name === "request_id");
    expect(served.filter(takes).map(pathOf).sort()).toEqual([...Object.keys(ROWS), REEMBEDDING].sort());
    const changing = served.filter(
      (method) => !takes(method) && method.idempotency !== Idempotency.NO_SIDE_EFFECTS,
    );
    expect(changing.map(pathOf).sort()).toEqual(Object.keys(WITHOUT_REQUEST_ID).sort());
  });

  it.each(Object.entries(ROWS))("%s is applied once and returns the same response", async (path, row) => {
    const namespace = path.split("/").at(-1)?.toLowerCase() ?? "";
    await row.prepare?.(app, namespace);
    const before = await stateOf(app, namespace);
    const call = () => row.call(app, namespace, "r-1");
    const answers = await Promise.all(Array.from({ length: 10 }, call));
    const [first] = answers;
    expect(answers).toEqual(answers.map(() => first));
    const done = await stateOf(app, namespace);
    expect(done).not.toEqual(before);
    expect(await call()).toEqual(first);
    expect(await stateOf(app, namespace)).toEqual(done);

    await row.recreate?.(app, namespace);
    const tempted = await stateOf(app, namespace);
    await app[Symbol.asyncDispose]();
    app = await start();
    expect(await call()).toEqual(first);
    expect(await stateOf(app, namespace)).toEqual(tempted);
    if (row.otherIsElsewhere === true && onRedis()) return;
    expect(await refusalOf(row.other(app, namespace, "r-1"))).toMatchObject({ reason: "REQUEST_ID_REUSED" });
    expect(await stateOf(app, namespace)).toEqual(tempted);
  });

  it("as an import, which has no request_id, stores each memory once", async () => {
    const namespace = "imported";
    const memories = ["a", "b", "c"].map((id) => ({ id, text: `fact ${id}`, sessionId: "s" }));
    const repeat = async (): Promise<readonly [number, number]> => {
      const requests = async function* () {
        yield { namespace, sequence: 1, memories };
      };
      const [told] = await Array.fromAsync(app.memory.importMemories(requests()));
      return [told?.importedCount ?? -1, told?.skippedCount ?? -1];
    };
    const counts = await Promise.all(Array.from({ length: 10 }, repeat));
    expect(counts.map(([imported, skipped]) => imported + skipped)).toEqual(counts.map(() => 3));
    expect(counts.reduce((sum, [imported]) => sum + imported, 0)).toBe(3);
    const done = await stateOf(app, namespace);
    await app[Symbol.asyncDispose]();
    app = await start();
    expect(await repeat()).toEqual([0, 3]);
    expect(await stateOf(app, namespace)).toEqual(done);
  });

  // The last test, because its change continues in the background.
  it("starts one re-embedding, whose progress each replay returns", async () => {
    const requestId = "r-1";
    const start10 = Array.from({ length: 10 }, () =>
      app.operations.startReembedding({ dimension: 48, requestId }),
    );
    const ids = (await Promise.all(start10)).map(({ reembedding }) => reembedding?.id);
    expect(new Set(ids).size).toBe(1);
    expect(ids[0]).toMatch(/./);
    await app[Symbol.asyncDispose]();
    app = await start();
    const again = await app.operations.startReembedding({ dimension: 48, requestId });
    expect(again.reembedding?.id).toBe(ids[0]);
    const other = app.operations.startReembedding({ dimension: 49, requestId });
    expect(await refusalOf(other)).toMatchObject({ reason: "REQUEST_ID_REUSED" });
  });
});
