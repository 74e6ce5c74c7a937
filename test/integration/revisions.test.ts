import { timestampFromMs, timestampMs } from "@bufbuild/protobuf/wkt";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { OnDuplicate, Memory_State as State } from "#gen/recollect/v1/memory_pb.js";
import { DAY, NOW } from "../support/builders.ts";
import { refusalOf } from "../support/errors.ts";
import { startApp, type TestApp } from "../support/start-app.ts";

let app: TestApp;
let now = NOW;
beforeAll(async () => {
  app = await startApp({ env: { MEMORY_MAX_REVISIONS: "4" }, overrides: { clock: { now: () => now } } });
});
afterAll(async () => {
  await app[Symbol.asyncDispose]();
});

const get = async (namespace: string, id: string) => (await app.memory.getMemory({ namespace, id })).memory;
const textsOf = async (namespace: string, text: string): Promise<string[]> => {
  const query = { by: { case: "text" as const, value: text } };
  const { results } = await app.memory.searchMemories({ namespace, query });
  return results.map(({ memory }) => memory?.text ?? "");
};

/** Ana lived in Paris, and moved to Berlin. */
async function moved(namespace: string): Promise<void> {
  await app.memory.createMemory({ namespace, memory: { id: "paris", text: "Ana lives in Paris" } });
  const memory = { id: "berlin", text: "Ana lives in Berlin", supersedes: ["paris"] };
  await app.memory.createMemory({ namespace, memory });
}

describe("ListMemoryRevisions", () => {
  it("returns what a memory was before each change, newest first, without its embedding", async () => {
    const namespace = "list";
    const memory = { id: "m", text: "first", tags: ["a"], metadata: { level: 1 }, sessionId: "s" };
    await app.memory.createMemory({ namespace, memory });
    const first = await get(namespace, "m");
    now += 1000;
    await app.memory.updateMemory({ namespace, memory: { id: "m", text: "second" } });
    const second = await get(namespace, "m");
    now += 1000;
    await app.memory.updateMemory({
      namespace,
      memory: { id: "m", pinned: true },
      updateMask: { paths: ["pinned"] },
    });
    const { revisions, nextPageToken } = await app.memory.listMemoryRevisions({ namespace, id: "m" });
    expect(nextPageToken).toBe("");
    expect(revisions.map(({ number }) => number)).toEqual([2, 1]);
    const times = revisions.map(({ replaceTime }) => replaceTime && timestampMs(replaceTime));
    expect(times).toEqual([now, now - 1000]);
    for (const [at, version] of [second, first].entries()) {
      const { embedding: _, lastAccessTime: __, ...content } = version ?? {};
      expect(revisions[at]?.memory).toMatchObject({ ...content, accessCount: 0n });
      expect(revisions[at]?.memory?.embedding).toBeUndefined();
    }
  });

  it("returns pages within limits of number and bytes, and says where the next one begins", async () => {
    const namespace = "pages";
    await app.memory.createMemory({ namespace, memory: { id: "m", text: "0" } });
    for (let version = 1; version <= 6; version += 1) {
      const memory = { id: "m", text: `${version} ${"x".repeat(60_000)}` };
      await app.memory.updateMemory({ namespace, memory });
    }
    const pagesOf = async (limits: { readonly pageSize?: number; readonly maxAnswerBytes?: number }) => {
      const pages: number[][] = [];
      let pageToken = "";
      do {
        const page = await app.memory.listMemoryRevisions({ namespace, id: "m", pageToken, ...limits });
        pages.push(page.revisions.map(({ number }) => number));
        pageToken = page.nextPageToken;
      } while (pageToken !== "");
      return pages;
    };
    expect(await pagesOf({})).toEqual([[6, 5, 4, 3]]);
    expect(await pagesOf({ pageSize: 3 })).toEqual([[6, 5, 4], [3]]);
    expect(await pagesOf({ pageSize: 4 })).toEqual([[6, 5, 4, 3]]);
    expect(await pagesOf({ maxAnswerBytes: 130_000 })).toEqual([
      [6, 5],
      [4, 3],
    ]);
    expect(await pagesOf({ maxAnswerBytes: 1 })).toEqual([[6], [5], [4], [3]]);
  });

  it("is refused for a missing memory, and with a token of another list", async () => {
    const namespace = "refused";
    const missing = app.memory.listMemoryRevisions({ namespace, id: "none" });
    expect(await refusalOf(missing)).toMatchObject({ code: "NotFound", reason: "MEMORY_NOT_FOUND" });
    for (const id of ["a", "b"]) {
      await app.memory.createMemory({ namespace, memory: { id, text: id } });
      for (const text of ["x", "y"])
        await app.memory.updateMemory({ namespace, memory: { id, text: text + id } });
    }
    const { nextPageToken } = await app.memory.listMemoryRevisions({ namespace, id: "a", pageSize: 1 });
    expect(nextPageToken).not.toBe("");
    for (const pageToken of [nextPageToken, "forged"]) {
      const other = app.memory.listMemoryRevisions({ namespace, id: "b", pageToken });
      expect(await refusalOf(other)).toMatchObject({ code: "InvalidArgument", reason: "PAGE_TOKEN_INVALID" });
    }
  });
});

describe("RestoreMemory", () => {
  it("is the way back from a supersession: both are active then", async () => {
    const namespace = "moved-back";
    await moved(namespace);
    expect(await textsOf(namespace, "where does Ana live")).toEqual(["Ana lives in Berlin"]);
    now += 1000;
    const { memory } = await app.memory.restoreMemory({ namespace, id: "paris" });
    expect(memory).toMatchObject({ state: State.ACTIVE, supersededBy: "", text: "Ana lives in Paris" });
    expect(memory?.updateTime && timestampMs(memory.updateTime)).toBe(now);
    expect(await textsOf(namespace, "where does Ana live")).toHaveLength(2);
    expect(await get(namespace, "berlin")).toMatchObject({ state: State.ACTIVE, supersedes: ["paris"] });
    const duplicate = { text: "ana lives in  PARIS", id: "again" };
    const again = await app.memory.createMemory({
      namespace,
      memory: duplicate,
      onDuplicate: OnDuplicate.RETURN_EXISTING,
    });
    expect(again).toMatchObject({ duplicate: true, memory: { id: "paris" } });
    const { revisions } = await app.memory.listMemoryRevisions({ namespace, id: "paris" });
    expect(revisions.map((one) => one.memory?.state)).toEqual([State.SUPERSEDED, State.ACTIVE]);
  });

  it("writes the content of a revision as a new version, which is found by its text", async () => {
    const namespace = "content";
    const memory = { id: "m", text: "Ben plays the violin", tags: ["music"], importance: 0.25 };
    await app.memory.createMemory({ namespace, memory });
    await app.memory.updateMemory({
      namespace,
      memory: { id: "m", text: "Ben repairs tractors", tags: [], importance: 1 },
      updateMask: { paths: ["text", "tags", "importance"] },
    });
    await app.memory.getMemory({ namespace, id: "m" });
    const restored = await app.memory.restoreMemory({ namespace, id: "m", revision: 1 });
    expect(restored.memory).toMatchObject({ ...memory, accessCount: 1n });
    expect(await textsOf(namespace, "violin")).toEqual(["Ben plays the violin"]);
    const { revisions } = await app.memory.listMemoryRevisions({ namespace, id: "m" });
    expect(revisions.map((one) => [one.number, one.memory?.text])).toEqual([
      [2, "Ben repairs tractors"],
      [1, "Ben plays the violin"],
    ]);
    // And back again.
    await app.memory.restoreMemory({ namespace, id: "m", revision: 2 });
    expect(await get(namespace, "m")).toMatchObject({
      text: "Ben repairs tractors",
      tags: [],
      importance: 1,
    });
  });

  it("takes a revision of a superseded memory, whose present content stays one", async () => {
    const namespace = "superseded-revision";
    await app.memory.createMemory({ namespace, memory: { id: "paris", text: "Ana lives in Pris" } });
    await app.memory.updateMemory({ namespace, memory: { id: "paris", text: "Ana lives in Paris" } });
    await app.memory.createMemory({
      namespace,
      memory: { id: "berlin", text: "Ana lives in Berlin", supersedes: ["paris"] },
    });
    const { memory } = await app.memory.restoreMemory({ namespace, id: "paris", revision: 2 });
    expect(memory).toMatchObject({ text: "Ana lives in Paris", state: State.ACTIVE, supersededBy: "" });
    // It can be superseded and corrected again.
    await app.memory.updateMemory({ namespace, memory: { id: "paris", text: "Ana lives in Paris again" } });
    await app.memory.createMemory({
      namespace,
      memory: { text: "She moved to Rome", supersedes: ["paris"] },
    });
    expect(await get(namespace, "paris")).toMatchObject({ state: State.SUPERSEDED });
  });

  it("is refused for what is missing, active, changed or expired, each with its reason", async () => {
    const namespace = "refusals";
    const restore = (revision: number, etag = "") =>
      refusalOf(app.memory.restoreMemory({ namespace, id: "m", revision, etag }));
    expect(await restore(1)).toMatchObject({ code: "NotFound", reason: "MEMORY_NOT_FOUND" });
    const memory = {
      id: "m",
      text: "ends",
      expiration: { case: "expireTime" as const, value: timestampFromMs(now + 5000) },
    };
    await app.memory.createMemory({ namespace, memory });
    await app.memory.updateMemory({
      namespace,
      memory: { id: "m", text: "stays" },
      updateMask: { paths: ["text", "expire_time"] },
    });
    expect(await restore(0)).toMatchObject({
      ...{ code: "FailedPrecondition", reason: "MEMORY_ALREADY_ACTIVE" },
      metadata: { id: "m" },
    });
    expect(await restore(2)).toMatchObject({
      ...{ code: "NotFound", reason: "REVISION_NOT_FOUND" },
      metadata: { id: "m", revision: "2" },
    });
    expect(await restore(1, "another")).toMatchObject({ code: "Aborted", reason: "ETAG_MISMATCH" });
    expect(await restore(-1)).toMatchObject({ code: "InvalidArgument", reason: "REQUEST_INVALID" });
    now += 5000;
    expect(await restore(1)).toMatchObject({
      ...{ code: "InvalidArgument", reason: "REQUEST_INVALID" },
      fields: ["revision"],
    });
    expect(await get(namespace, "m")).toMatchObject({ text: "stays" });
    for (let version = 0; version < 5; version += 1) {
      await app.memory.updateMemory({ namespace, memory: { id: "m", text: `stays ${version}` } });
    }
    expect(await restore(1)).toMatchObject({ reason: "REVISION_NOT_FOUND" });
  });

  it("happens once for ten calls with one request_id, also when the memory has changed since", async () => {
    const namespace = "repeated";
    await moved(namespace);
    const restore = () => app.memory.restoreMemory({ namespace, id: "paris", requestId: "r" });
    const first = await restore();
    await Promise.all(Array.from({ length: 4 }, restore));
    for (let time = 0; time < 5; time += 1) {
      now += DAY / 24;
      const again = await restore();
      expect(again.memory?.etag).toBe(first.memory?.etag);
    }
    const { revisions } = await app.memory.listMemoryRevisions({ namespace, id: "paris" });
    expect(revisions.map(({ number }) => number)).toEqual([2, 1]);
    await app.memory.updateMemory({ namespace, memory: { id: "paris", text: "changed" } });
    expect((await restore()).memory?.text).toBe("changed");
    const other = app.memory.restoreMemory({ namespace, id: "paris", revision: 1, requestId: "r" });
    expect(await refusalOf(other)).toMatchObject({ reason: "REQUEST_ID_REUSED" });
  });

  it("is done by each of many at once, and each keeps what it replaced", async () => {
    const namespace = "concurrent";
    await app.memory.createMemory({ namespace, memory: { id: "m", text: "one" } });
    await app.memory.updateMemory({ namespace, memory: { id: "m", text: "two" } });
    await Promise.all(
      Array.from({ length: 3 }, () => app.memory.restoreMemory({ namespace, id: "m", revision: 1 })),
    );
    const { revisions } = await app.memory.listMemoryRevisions({ namespace, id: "m" });
    expect(revisions.map((one) => [one.number, one.memory?.text])).toEqual([
      [4, "one"],
      [3, "one"],
      [2, "two"],
      [1, "one"],
    ]);
  });
});
