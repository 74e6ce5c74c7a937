import { timestampFromMs } from "@bufbuild/protobuf/wkt";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { Memory_Kind as Kind, OnDuplicate } from "#gen/recollect/v1/memory_pb.js";
import { NOW } from "../support/builders.ts";
import { refusalOf } from "../support/errors.ts";
import { startApp, type TestApp } from "../support/start-app.ts";

describe("changing memories", () => {
  let app: TestApp;
  beforeAll(async () => {
    app = await startApp();
  });
  afterAll(async () => {
    await app[Symbol.asyncDispose]();
  });

  async function created(
    namespace: string,
    text: string,
    more: object = {},
  ): Promise<{ id: string; etag: string }> {
    const { memory } = await app.memory.createMemory({
      namespace,
      memory: { text, ...more },
      onDuplicate: OnDuplicate.ALLOW,
    });
    return { id: memory?.id ?? "", etag: memory?.etag ?? "" };
  }

  describe("UpdateMemory", () => {
    const namespace = "update";

    it("updates the fields that are set, keeps the others, and matches keyword searches by its new text only", async () => {
      const { id, etag } = await created(namespace, "Ana lives in Lisbon", {
        tags: ["city"],
        sessionId: "s",
      });
      const { memory } = await app.memory.updateMemory({
        namespace,
        memory: { id, text: "Ana lives in Porto" },
      });
      expect(memory).toMatchObject({ id, text: "Ana lives in Porto", tags: ["city"], sessionPosition: 1 });
      expect(memory?.etag).not.toBe(etag);
      expect(memory?.updateTime).not.toEqual(memory?.createTime);
      const find = async (value: string): Promise<unknown> => {
        const { results } = await app.memory.searchMemories({
          namespace,
          query: { by: { case: "text", value } },
          mode: 3,
        });
        return results.map((result) => result.memory?.text);
      };
      expect(await find("Porto")).toEqual(["Ana lives in Porto"]);
      expect(await find("Lisbon")).toEqual([]);
    });

    it("clears fields that are in the mask but not in the request, and no others", async () => {
      const { id } = await created(namespace, "masked", {
        tags: ["a"],
        author: "Ana",
        importance: 0.9,
        pinned: true,
      });
      const { memory } = await app.memory.updateMemory({
        namespace,
        memory: { id, text: "not taken" },
        updateMask: { paths: ["tags", "pinned", "importance"] },
      });
      expect(memory).toMatchObject({
        text: "masked",
        tags: [],
        author: "Ana",
        importance: 0.5,
        pinned: false,
      });
    });

    it("replaces every field for *", async () => {
      const { id } = await created(namespace, "before", { tags: ["a"], userId: "ana", kind: Kind.EPISODIC });
      const { memory } = await app.memory.updateMemory({
        namespace,
        memory: { id, text: "after" },
        updateMask: { paths: ["*"] },
      });
      expect(memory).toMatchObject({ text: "after", tags: [], userId: "", kind: Kind.SEMANTIC });
    });

    it("updates only the version with the given etag", async () => {
      const { id, etag } = await created(namespace, "versioned");
      await app.memory.updateMemory({ namespace, memory: { id, importance: 1, etag } });
      const stale = app.memory.updateMemory({ namespace, memory: { id, importance: 0, etag } });
      expect(await refusalOf(stale)).toMatchObject({ code: "Aborted", reason: "ETAG_MISMATCH" });
    });

    it("loses no concurrent update", async () => {
      const { id } = await created(namespace, "contended");
      const paths = ["tags", "author", "role", "user_id"];
      const patch = { id, tags: ["t"], author: "Ana", role: "user", userId: "u" };
      await Promise.all(
        paths.map((path) =>
          app.memory.updateMemory({ namespace, memory: patch, updateMask: { paths: [path] } }),
        ),
      );
      const { memory } = await app.memory.getMemory({ namespace, id });
      expect(memory).toMatchObject({
        tags: ["t"],
        author: "Ana",
        role: "user",
        userId: "u",
        text: "contended",
      });
    });

    it("replays the response, although the requested expire time has passed", async () => {
      let now = NOW;
      await using own = await startApp({ overrides: { clock: { now: () => now } } });
      const endsAt = (ms: number) => ({ case: "expireTime" as const, value: timestampFromMs(ms) });
      await own.memory.createMemory({ memory: { id: "m", text: "ends" } });
      const request = { memory: { id: "m", expiration: endsAt(NOW + 10) }, requestId: "r" };
      await own.memory.updateMemory(request);
      const extended = { id: "m", expiration: endsAt(NOW + 1000) };
      const { memory: later } = await own.memory.updateMemory({ memory: extended });
      now = NOW + 20;
      expect((await own.memory.updateMemory(request)).memory).toEqual(later);
      const other = { ...request, memory: { ...request.memory, text: "other" } };
      expect(await refusalOf(own.memory.updateMemory(other))).toMatchObject({ reason: "REQUEST_ID_REUSED" });
      const first = own.memory.updateMemory({ ...request, requestId: "another" });
      expect(await refusalOf(first)).toMatchObject({ reason: "REQUEST_INVALID" });
    });

    it("returns 0 for -0, as a read does", async () => {
      const given = { id: "zero", text: "zero", importance: -0, metadata: { a: [-0], b: { c: -0 } } };
      const { memory: made } = await app.memory.createMemory({ namespace, memory: given });
      const { memory: changed } = await app.memory.updateMemory({ namespace, memory: given });
      for (const memory of [made, changed]) {
        expect(memory?.importance).toBe(0);
        expect(memory?.metadata).toEqual({ a: [0], b: { c: 0 } });
      }
    });

    it("applies a request once, however often it is sent", async () => {
      const { id } = await created(namespace, "repeated");
      const request = { namespace, memory: { id, importance: 0.75 }, requestId: "u-1" };
      const answers = await Promise.all(Array.from({ length: 10 }, () => app.memory.updateMemory(request)));
      expect(new Set(answers.map(({ memory }) => memory?.etag)).size).toBe(1);
      const other = app.memory.updateMemory({ ...request, memory: { id, importance: 0.5 } });
      expect(await refusalOf(other)).toMatchObject({ reason: "REQUEST_ID_REUSED" });
    });

    it.each([
      ["an unknown field", { memory: { id: "m" }, updateMask: { paths: ["nonsense"] } }, "update_mask"],
      ["a fixed field", { memory: { id: "m" }, updateMask: { paths: ["session_id"] } }, "update_mask"],
      ["no id", { memory: { text: "x" } }, "memory.id"],
      ["no memory", {}, "memory.id"],
      ["an emptied text", { memory: { id: "m" }, updateMask: { paths: ["text"] } }, "memory.text"],
      ["a broken rule", { memory: { id: "m", importance: 2 } }, "memory.importance"],
    ])("refuses %s", async (_, request, field) => {
      const refusal = await refusalOf(app.memory.updateMemory({ namespace, ...(request as object) }));
      expect(refusal).toMatchObject({ reason: "REQUEST_INVALID" });
      expect(refusal.fields).toContain(field);
    });

    it("refuses the update of an unknown memory", async () => {
      const missing = app.memory.updateMemory({ namespace, memory: { id: "missing", text: "x" } });
      expect(await refusalOf(missing)).toMatchObject({ code: "NotFound", reason: "MEMORY_NOT_FOUND" });
    });
  });

  it("gets several memories at once and names the missing", async () => {
    const one = await created("several", "one");
    const two = await created("several", "two");
    const answer = await app.memory.batchGetMemories({
      namespace: "several",
      ids: [two.id, "missing", one.id],
    });
    expect(answer.memories.map(({ id }) => id)).toEqual([two.id, one.id]);
    expect(answer.notFoundIds).toEqual(["missing"]);
  });

  it("purges what a filter matches, and only counts without force", async () => {
    const namespace = "purge";
    for (let batch = 0; batch < 7; batch += 1) {
      await app.memory.batchCreateMemories({
        namespace,
        memories: Array.from({ length: 100 }, (_, index) => ({
          text: `memory ${batch} ${index}`,
          userId: index % 10 === 0 ? "keep" : "drop",
        })),
      });
    }
    const request = { namespace, filter: { userId: "drop" }, requestId: "p-1" };
    expect((await app.memory.purgeMemories(request)).count).toBe(630);
    expect((await app.memory.purgeMemories({ ...request, force: true })).count).toBe(630);
    expect((await app.memory.purgeMemories({ ...request, force: true })).count).toBe(630);
    const left = await app.memory.listMemories({ namespace, pageSize: 1000 });
    expect(left.memories).toHaveLength(70);
    expect(new Set(left.memories.map(({ userId }) => userId))).toEqual(new Set(["keep"]));
    expect(await refusalOf(app.memory.purgeMemories({ namespace }))).toMatchObject({
      reason: "REQUEST_INVALID",
    });
  });

  it("lists namespaces by name, counts what they hold, and deletes one whole", async () => {
    await using own = await startApp();
    for (const namespace of ["b", "a", "c"])
      await own.memory.createMemory({ namespace, memory: { text: "x" } });
    await own.cache.storeCacheEntry({
      namespace: "b",
      prompt: { prompt: { case: "text", value: "q" } },
      origin: { case: "scope", value: { model: "m" } },
      response: "a",
    });
    const first = await own.memory.listNamespaces({ pageSize: 2 });
    expect(first.namespaces).toEqual(["a", "b"]);
    const rest = await own.memory.listNamespaces({ pageToken: first.nextPageToken });
    expect([rest.namespaces, rest.nextPageToken]).toEqual([["c"], ""]);
    const held = { memoryCount: 1, cacheEntryCount: 1 };
    expect(await own.memory.getNamespaceStats({ namespace: "b" })).toMatchObject(held);
    expect(await own.memory.deleteNamespace({ namespace: "b" })).toMatchObject(held);

    const request = { namespace: "b", force: true, requestId: "d-1" };
    const answers = await Promise.all(Array.from({ length: 10 }, () => own.memory.deleteNamespace(request)));
    for (const answer of answers) expect(answer).toMatchObject(held);
    expect((await own.memory.listNamespaces({})).namespaces).toEqual(["a", "c"]);
    expect((await own.memory.listMemories({ namespace: "b" })).memories).toEqual([]);
    const found = await own.memory.searchMemories({
      namespace: "b",
      query: { by: { case: "text", value: "x" } },
    });
    expect(found.results).toEqual([]);
    expect(await own.memory.getNamespaceStats({ namespace: "b" })).toMatchObject({
      memoryCount: 0,
      cacheEntryCount: 0,
    });
    expect((await own.memory.listMemories({ namespace: "a" })).memories).toHaveLength(1);
    expect(await refusalOf(own.memory.deleteNamespace({}))).toMatchObject({ reason: "REQUEST_INVALID" });
    expect(await refusalOf(own.memory.listNamespaces({ pageToken: "AAAA" }))).toMatchObject({
      reason: "PAGE_TOKEN_INVALID",
    });
  });
});
