import type { DescMethod, JsonObject, JsonValue } from "@bufbuild/protobuf";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { CacheService } from "#gen/recollect/v1/cache_pb.js";
import { CompactionService } from "#gen/recollect/v1/compaction_pb.js";
import { MemoryService } from "#gen/recollect/v1/memory_pb.js";
import { OperationsService } from "#gen/recollect/v1/operations_pb.js";
import { ROLES } from "../../../src/domain/access/tenancy.ts";
import { sealFeedToken } from "../../../src/domain/memory/changes.ts";
import { canonicalJson } from "../../../src/lib/json.ts";
import { testKey } from "../../support/api-keys.ts";
import { callMethod, type Transports, transportsOf } from "../../support/call-method.ts";
import { refusalOf, toRefusal } from "../../support/errors.ts";
import { startApp, type TestApp } from "../../support/start-app.ts";

const METHODS: readonly DescMethod[] = [
  MemoryService,
  CacheService,
  CompactionService,
  OperationsService,
].flatMap(({ methods }) => [...methods]);

/** Two tenants whose principals, namespaces, ids, prompts and request ids are the same; their texts are not. */
const TENANTS = ["crimson", "turquoise"] as const;
type Tenant = (typeof TENANTS)[number];

const keyOf = (tenant: Tenant) => testKey({ tenant, principal: "app", roles: ROLES, debug: true });
const KEYS = { crimson: keyOf("crimson"), turquoise: keyOf("turquoise") };

/** Names for samples. */
interface Place {
  readonly tenant: Tenant;
  readonly namespace: string;
  /** The cache entry of this tenant; both tenants have one for the same prompt. */
  readonly entryId: string;
  /** Of a lookup that served this tenant's entry. */
  readonly decisionId: string;
  /** Compactions of this tenant, in `compactedIn`: one that is done, and a plan that awaits approval. */
  readonly doneRun: string;
  readonly plannedRun: { readonly id: string; readonly etag: string };
}

/** A namespace with compactions. */
const compactedIn = (namespace: string): string => `${namespace}-twins`;

interface Sample {
  readonly requests: (place: Place) => readonly JsonObject[];
  /**
   * The evidence that the call had an effect: it returns the tenant's own texts, its counts, or other values than to the other
   * tenant, or it changes data.
   */
  readonly does: "shows" | "counts" | "differs" | "changes";
}

const SCOPE = { model: "a-model" };
const PROMPT = { text: "what is the colour?" };

const shows = (requests: Sample["requests"]): Sample => ({ requests, does: "shows" });
const counts = (requests: Sample["requests"]): Sample => ({ requests, does: "counts" });
const differs = (requests: Sample["requests"]): Sample => ({ requests, does: "differs" });
const changes = (requests: Sample["requests"]): Sample => ({ requests, does: "changes" });

/** The token of a watch that begins with the first change. */
const beginningOf = (tenant: string, namespace: string): string =>
  sealFeedToken({ incarnation: "", sequence: 0, digest: "" }, canonicalJson(["watch", tenant, namespace]));

/** A call of each served method, which both tenants make with equal requests. */
const SAMPLES: Readonly<Record<string, Sample>> = {
  CreateMemory: changes(({ tenant, namespace }) => [
    { namespace, requestId: "same", memory: { id: "new", text: `new of ${tenant}`, sessionId: "s" } },
  ]),
  BatchCreateMemories: changes(({ tenant, namespace }) => [
    { namespace, requestId: "same", memories: [{ id: "new", text: `new of ${tenant}` }] },
  ]),
  GetMemory: shows(({ namespace }) => [{ namespace, id: "m1" }]),
  BatchGetMemories: shows(({ namespace }) => [{ namespace, ids: ["m1", "m2", "turquoise-only"] }]),
  ListMemories: shows(({ namespace }) => [{ namespace }]),
  UpdateMemory: changes(({ tenant, namespace }) => [
    { namespace, requestId: "same", memory: { id: "m1", text: `corrected by ${tenant}` } },
  ]),
  ListMemoryRevisions: shows(({ namespace }) => [{ namespace, id: "m2" }]),
  RestoreMemory: changes(({ namespace }) => [{ namespace, id: "m2", revision: 1, requestId: "same" }]),
  DeleteMemory: changes(({ namespace }) => [{ namespace, id: "m1", requestId: "same" }]),
  PurgeMemories: changes(({ namespace }) => [
    { namespace, filter: { userId: "u" }, force: true, requestId: "same" },
  ]),
  SearchMemories: shows(({ namespace }) => [
    { namespace, query: { text: "tea of turquoise and crimson" }, limit: 100, explain: true },
  ]),
  ImportMemories: changes(({ tenant, namespace }) => [
    { namespace, sequence: 1, memories: [{ id: "imported", text: `imported by ${tenant}`, sessionId: "s" }] },
  ]),
  ExportMemories: shows(({ namespace }) => [{ namespace }]),
  WatchMemories: shows(({ tenant, namespace }) => [
    { namespace, resumeToken: beginningOf(tenant, namespace) },
  ]),
  ListNamespaces: shows(() => [{ pageSize: 1000 }]),
  GetNamespaceStats: counts(({ namespace }) => [{ namespace }]),
  DeleteNamespace: changes(({ namespace }) => [{ namespace, force: true, requestId: "same" }]),
  LookupCache: shows(({ namespace }) => [{ namespace, prompt: PROMPT, scope: { ...SCOPE, shared: true } }]),
  StoreCacheEntry: changes(({ tenant, namespace }) => [
    { namespace, requestId: "same", prompt: PROMPT, scope: SCOPE, response: `of ${tenant}, its second` },
  ]),
  GetCacheEntry: shows(({ namespace, entryId }) => [{ namespace, id: entryId }]),
  ListCacheEntries: shows(({ namespace }) => [{ namespace }]),
  DeleteCacheEntry: changes(({ namespace, entryId }) => [{ namespace, id: entryId, requestId: "same" }]),
  ReportCacheOutcome: changes(({ namespace, decisionId }) => [
    { namespace, decisionId, outcome: "OUTCOME_STALE", requestId: "same" },
  ]),
  InvalidateCache: changes(({ namespace }) => [{ namespace, requestId: "same" }]),
  GetCacheStats: counts(({ namespace }) => [{ namespace }]),
  GetCachePolicy: differs(({ namespace }) => [{ namespace }]),
  UpdateCachePolicy: changes(({ namespace }) => [
    { namespace, policy: { guard: "CACHE_GUARD_CLOSED" }, requestId: "same" },
  ]),
  StartCompaction: changes(({ namespace }) => [{ namespace, requestId: "same" }]),
  GetCompaction: shows(({ namespace, plannedRun: { id } }) => [{ namespace: compactedIn(namespace), id }]),
  ListCompactions: differs(({ namespace }) => [{ namespace: compactedIn(namespace) }]),
  WatchCompaction: differs(({ namespace, doneRun }) => [{ namespace: compactedIn(namespace), id: doneRun }]),
  ApproveCompaction: changes(({ namespace, plannedRun }) => [
    { namespace: compactedIn(namespace), ...plannedRun, requestId: "same" },
  ]),
  CancelCompaction: changes(({ namespace, plannedRun: { id } }) => [
    { namespace: compactedIn(namespace), id, requestId: "same" },
  ]),
  UndoCompaction: changes(({ namespace, doneRun }) => [
    { namespace: compactedIn(namespace), id: doneRun, requestId: "same" },
  ]),
  GetCompactionPolicy: differs(({ namespace }) => [{ namespace }]),
  UpdateCompactionPolicy: changes(({ namespace }) => [
    { namespace, policy: { minImportance: 0.75 }, requestId: "same" },
  ]),
};

/** Server-wide methods for operators: numbers and states, without names or texts of tenants. */
const OF_THE_SERVER: readonly string[] = [
  "GetServerInfo",
  "GetIndexInfo",
  "RebuildIndex",
  "GetEmbeddingInfo",
  "GetReembedding",
  "StartReembedding",
];

describe("two tenants with the same names", () => {
  let app: TestApp;
  let transports: Transports;
  beforeAll(async () => {
    app = await startApp({
      apiKeys: Object.values(KEYS),
      // Watches are silent as soon as they have given what there is.
      overrides: { watchSleep: async () => undefined },
    });
    transports = transportsOf(app);
  });
  afterAll(async () => {
    transports[Symbol.dispose]();
    await app[Symbol.asyncDispose]();
  });

  const call = (
    tenant: Tenant,
    method: DescMethod,
    ...requests: readonly JsonObject[]
  ): Promise<JsonValue[]> => callMethod(transports.grpc, method, requests, KEYS[tenant].key);

  async function isServed(method: DescMethod): Promise<boolean> {
    try {
      await call("crimson", method, ...(method.methodKind === "bidi_streaming" ? [] : [{}]));
    } catch (error) {
      return toRefusal(error).reason !== "METHOD_NOT_SERVED";
    }
    return true;
  }

  /** Stores memories and cache entries of a tenant under names that both use; `turquoise` has more of them. */
  async function fill(tenant: Tenant, namespace: string): Promise<Place> {
    const { createMemory } = MemoryService.method;
    const memory = { sessionId: "s", userId: "u", tags: ["t"], metadata: { of: tenant } };
    const ids = ["m1", "m2", ...(tenant === "turquoise" ? ["m3", "turquoise-only"] : [])];
    for (const id of ids) {
      await call(tenant, createMemory, {
        namespace,
        memory: { ...memory, id, text: `tea ${id} of ${tenant}` },
      });
    }
    await call(tenant, MemoryService.method.updateMemory, { namespace, memory: { id: "m2", pinned: true } });
    const guard = tenant === "crimson" ? "CACHE_GUARD_STRICT" : "CACHE_GUARD_OFF";
    await call(tenant, CacheService.method.updateCachePolicy, { namespace, policy: { guard } });
    // A namespace whose name identifies the tenant.
    await call(tenant, createMemory, { namespace: `${tenant}-own`, memory: { text: namespace } });
    const store = CacheService.method.storeCacheEntry;
    const prompts = [PROMPT, ...(tenant === "turquoise" ? [{ text: "what does only turquoise ask?" }] : [])];
    for (const prompt of prompts) {
      await call(tenant, store, { namespace, prompt, scope: SCOPE, response: `answer of ${tenant}` });
      const shared = { ...SCOPE, shared: true };
      await call(tenant, store, { namespace, prompt, scope: shared, response: `shared answer of ${tenant}` });
    }
    const [listed] = await call(tenant, CacheService.method.listCacheEntries, { namespace });
    const { entries } = listed as unknown as {
      readonly entries: { readonly id: string; response: string }[];
    };
    const own = entries.find(({ response }) => response === `answer of ${tenant}`);
    const question = { namespace, prompt: PROMPT, scope: SCOPE };
    const [hit] = await call(tenant, CacheService.method.lookupCache, question);
    const { decisionId } = hit as unknown as { readonly decisionId: string };
    const minImportance = tenant === "crimson" ? 0.125 : 0.25;
    const setPolicy = CompactionService.method.updateCompactionPolicy;
    await call(tenant, setPolicy, { namespace, policy: { minImportance } });
    const compacted = namespace.includes("compact")
      ? await compact(tenant, compactedIn(namespace))
      : { doneRun: "", plannedRun: { id: "", etag: "" } };
    return { tenant, namespace, entryId: own?.id ?? "", decisionId, ...compacted };
  }

  /** Compacts equal memories of a tenant, then plans it for others. */
  async function compact(tenant: Tenant, namespace: string): Promise<Pick<Place, "doneRun" | "plannedRun">> {
    const start = async (text: string, requireApproval: boolean): Promise<{ id: string; etag: string }> => {
      for (const id of ["one", "two"]) {
        const memory = { id: `${text}-${id}`, text: `${text} of ${tenant}` };
        await call(tenant, MemoryService.method.createMemory, {
          namespace,
          memory,
          onDuplicate: "ON_DUPLICATE_ALLOW",
        });
      }
      const request = { namespace, overrides: { keepRecent: "0s" }, requireApproval };
      const [started] = await call(tenant, CompactionService.method.startCompaction, request);
      const { compaction } = started as unknown as { readonly compaction: { readonly id: string } };
      const { id, etag } = await settled(tenant, namespace, compaction.id);
      return { id, etag };
    };
    return { doneRun: (await start("done", false)).id, plannedRun: await start("planned", true) };
  }

  /** A run when it has ended or awaits approval. */
  async function settled(
    tenant: Tenant,
    namespace: string,
    id: string,
  ): Promise<{ readonly id: string; readonly etag: string }> {
    const watched = await call(tenant, CompactionService.method.watchCompaction, { namespace, id });
    const { compaction } = watched.at(-1) as unknown as {
      readonly compaction: { readonly id: string; readonly etag: string };
    };
    return compaction;
  }

  /** All compactions of a tenant in a namespace, when they have ended or await approval. */
  async function compactionsOf(tenant: Tenant, namespace: string): Promise<JsonValue[]> {
    const list = () => call(tenant, CompactionService.method.listCompactions, { namespace });
    const [listed] = await list();
    const { compactions = [] } = listed as unknown as { readonly compactions?: { readonly id: string }[] };
    for (const { id } of compactions) await settled(tenant, namespace, id);
    return list();
  }

  /** All data of a namespace that a tenant can read, by calls without side effects. */
  async function everythingOf(tenant: Tenant, namespace: string): Promise<JsonValue[]> {
    const { listMemories, exportMemories, listNamespaces, getNamespaceStats } = MemoryService.method;
    const states = ["STATE_ACTIVE", "STATE_SUPERSEDED", "STATE_ARCHIVED", "STATE_QUARANTINED"];
    return [
      await call(tenant, listMemories, { namespace, filter: { states } }),
      await call(tenant, exportMemories, { namespace }),
      await call(tenant, listNamespaces, { pageSize: 1000 }),
      await call(tenant, getNamespaceStats, { namespace }),
      await call(tenant, CacheService.method.listCacheEntries, { namespace }),
      await call(tenant, CacheService.method.getCacheStats, { namespace }),
      await call(tenant, CacheService.method.getCachePolicy, { namespace }),
      await call(tenant, CompactionService.method.getCompactionPolicy, { namespace }),
      await compactionsOf(tenant, namespace),
      await compactionsOf(tenant, compactedIn(namespace)),
      await call(tenant, listMemories, { namespace: compactedIn(namespace), filter: { states } }),
    ];
  }

  it.each(["GetServerInfo", "GetIndexInfo", "RebuildIndex", "GetEmbeddingInfo"])(
    "get the same response from %s, without data of any tenant",
    async (name) => {
      const method = METHODS.find((one) => one.name === name);
      if (method === undefined) throw new TypeError(`no method ${name}`);
      const ofCrimson = await call("crimson", method, {});
      const ofTurquoise = await call("turquoise", method, {});
      expect(ofCrimson.length).toBeGreaterThan(0);
      // The number of progress messages depends on the duration.
      expect(ofCrimson.at(-1)).toEqual(ofTurquoise.at(-1));
      for (const tenant of TENANTS) expect(JSON.stringify(ofCrimson)).not.toContain(tenant);
    },
  );

  it("have a sample for every served method, and for no other", async () => {
    const served: string[] = [];
    for (const method of METHODS) if (await isServed(method)) served.push(method.name);
    expect(served.sort()).toEqual([...Object.keys(SAMPLES), ...OF_THE_SERVER].sort());
  });

  it.each(Object.entries(SAMPLES))("neither see nor change each other's data by %s", async (name, sample) => {
    const method = METHODS.find((one) => one.name === name);
    if (method === undefined) throw new Error(`there is no method ${name}`);
    const namespace = `by-${name.toLowerCase()}`;
    const places = {
      crimson: await fill("crimson", namespace),
      turquoise: await fill("turquoise", namespace),
    };
    // The same request with the same id is of another tenant, so it is no replay. Each tenant is the later one once.
    for (const [tenant, other] of [TENANTS, TENANTS.toReversed() as ["turquoise", "crimson"]]) {
      const before = {
        own: await everythingOf(tenant, namespace),
        other: await everythingOf(other, namespace),
      };
      const answers = JSON.stringify(await call(tenant, method, ...sample.requests(places[tenant])));
      const after = {
        own: await everythingOf(tenant, namespace),
        other: await everythingOf(other, namespace),
      };
      expect(after.other).toEqual(before.other);
      // Requested ids and words are returned; texts, responses and names of the other tenant must not be.
      expect(answers.replaceAll("turquoise-only", "")).not.toContain(other);
      if (sample.does === "changes") expect(after.own).not.toEqual(before.own);
      if (sample.does === "shows") expect(answers).toContain(tenant);
      if (sample.does === "counts") {
        const [memoryCount, entryCount] = tenant === "crimson" ? [2, 2] : [4, 4];
        expect(answers).toMatch(new RegExp(`"(memoryCount|entryCount)":(${memoryCount}|${entryCount})\\b`));
      }
      if (sample.does === "counts" || sample.does === "differs") {
        const others = await call(other, method, ...sample.requests(places[other]));
        expect(JSON.stringify(others)).not.toBe(answers);
      }
    }
  });

  it("get NOT_FOUND for an id of the other tenant", async () => {
    const namespace = "foreign-ids";
    await fill("crimson", namespace);
    const { entryId } = await fill("turquoise", namespace);
    const id = "turquoise-only";
    const { getMemory, updateMemory, deleteMemory, searchMemories } = MemoryService.method;
    const { listMemoryRevisions, restoreMemory } = MemoryService.method;
    const { getCacheEntry, deleteCacheEntry, lookupCache } = CacheService.method;
    const { getCompaction, cancelCompaction, undoCompaction } = CompactionService.method;
    const foreign = await compact("turquoise", namespace);
    const before = await everythingOf("turquoise", namespace);
    const reasonOf = async (method: DescMethod, request: JsonObject) =>
      (await refusalOf(call("crimson", method, { namespace, ...request }))).reason;
    expect(await reasonOf(getMemory, { id })).toBe("MEMORY_NOT_FOUND");
    expect(await reasonOf(updateMemory, { memory: { id, text: "mine" } })).toBe("MEMORY_NOT_FOUND");
    expect(await reasonOf(deleteMemory, { id })).toBe("MEMORY_NOT_FOUND");
    expect(await reasonOf(listMemoryRevisions, { id })).toBe("MEMORY_NOT_FOUND");
    expect(await reasonOf(restoreMemory, { id, revision: 1 })).toBe("MEMORY_NOT_FOUND");
    expect(await reasonOf(searchMemories, { query: { memoryId: id } })).toBe("MEMORY_NOT_FOUND");
    expect(await reasonOf(getCacheEntry, { id: entryId })).toBe("CACHE_ENTRY_NOT_FOUND");
    expect(await reasonOf(deleteCacheEntry, { id: entryId })).toBe("CACHE_ENTRY_NOT_FOUND");
    expect(await reasonOf(getCompaction, { id: foreign.doneRun })).toBe("COMPACTION_NOT_FOUND");
    expect(await reasonOf(undoCompaction, { id: foreign.doneRun })).toBe("COMPACTION_NOT_FOUND");
    expect(await reasonOf(cancelCompaction, { id: foreign.plannedRun.id })).toBe("COMPACTION_NOT_FOUND");
    const prompt = { text: "what does only turquoise ask?" };
    const [missed] = await call("crimson", lookupCache, { namespace, prompt, scope: SCOPE });
    expect(JSON.stringify(missed)).not.toContain("turquoise");
    expect(missed).toHaveProperty("miss");
    expect(await everythingOf("turquoise", namespace)).toEqual(before);
  });

  it("cannot use decision tokens or page tokens of each other", async () => {
    const namespace = "tokens";
    await fill("crimson", namespace);
    await fill("turquoise", namespace);
    const prompt = { text: "a question to both" };
    const [looked] = await call("turquoise", CacheService.method.lookupCache, {
      namespace,
      prompt,
      scope: SCOPE,
    });
    const { decisionId } = looked as unknown as { readonly decisionId: string };
    const store = { namespace, prompt, decisionId, response: "forged" };
    expect(await refusalOf(call("crimson", CacheService.method.storeCacheEntry, store))).toMatchObject({
      reason: "DECISION_INVALID",
      metadata: { cause: "namespace" },
    });
    const [page] = await call("turquoise", MemoryService.method.listMemories, { namespace, pageSize: 1 });
    const { nextPageToken } = page as unknown as { readonly nextPageToken: string };
    const next = { namespace, pageSize: 10, pageToken: nextPageToken };
    const list = MemoryService.method.listMemories;
    expect(await refusalOf(call("crimson", list, next))).toMatchObject({ reason: "PAGE_TOKEN_INVALID" });
    expect(await call("turquoise", list, next)).toMatchObject([{ memories: { length: 3 } }]);
  });
});
