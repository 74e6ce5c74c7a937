import { create, type MessageInitShape, toBinary } from "@bufbuild/protobuf";
import { timestampFromMs } from "@bufbuild/protobuf/wkt";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import {
  type ImportMemoriesRequestSchema,
  OnDuplicate,
  SearchMemoriesResponseSchema,
  Memory_State as State,
} from "#gen/recollect/v1/memory_pb.js";
import { DAY, NOW } from "../support/builders.ts";
import { refusalOf } from "../support/errors.ts";
import { startApp, type TestApp } from "../support/start-app.ts";

describe("a memory that supersedes others", () => {
  let app: TestApp;
  beforeAll(async () => {
    app = await startApp();
  });
  afterAll(async () => {
    await app[Symbol.asyncDispose]();
  });

  const textsOf = async (namespace: string, includeSuperseded: boolean): Promise<string[]> => {
    const { results } = await app.memory.searchMemories({
      namespace,
      query: { by: { case: "text", value: "where does Ana live" } },
      includeSuperseded,
    });
    return results.map(({ memory }) => memory?.text ?? "");
  };

  async function movedTo(namespace: string): Promise<{ readonly paris: string; readonly berlin: string }> {
    const text = "Ana lives in Paris";
    const { memory: paris } = await app.memory.createMemory({ namespace, memory: { text } });
    const { memory: berlin } = await app.memory.createMemory({
      namespace,
      memory: { text: "Ana lives in Berlin", supersedes: [paris?.id ?? ""] },
    });
    return { paris: paris?.id ?? "", berlin: berlin?.id ?? "" };
  }

  it("is found in their place, and they with it when asked for", async () => {
    const namespace = "moved";
    const { paris, berlin } = await movedTo(namespace);
    expect(await textsOf(namespace, false)).toEqual(["Ana lives in Berlin"]);
    expect((await textsOf(namespace, true)).sort()).toEqual(["Ana lives in Berlin", "Ana lives in Paris"]);
    const { memory } = await app.memory.getMemory({ namespace, id: paris });
    expect(memory).toMatchObject({ state: State.SUPERSEDED, supersededBy: berlin });
    const listed = await app.memory.listMemories({ namespace, filter: { states: [State.SUPERSEDED] } });
    expect(listed.memories.map(({ id }) => id)).toEqual([paris]);
    expect((await app.memory.getMemory({ namespace, id: berlin })).memory?.supersedes).toEqual([paris]);
  });

  it("is purged with them, unless the filter names states", async () => {
    const namespace = "purged-history";
    const { paris, berlin } = await movedTo(namespace);
    const old = { namespace, filter: { pinned: false, states: [State.SUPERSEDED] } };
    expect((await app.memory.purgeMemories(old)).count).toBe(1);
    const all = { namespace, filter: { pinned: false } };
    expect((await app.memory.purgeMemories(all)).count).toBe(2);
    expect((await app.memory.purgeMemories({ ...all, force: true })).count).toBe(2);
    const { notFoundIds } = await app.memory.batchGetMemories({ namespace, ids: [paris, berlin] });
    expect(notFoundIds).toEqual([paris, berlin]);
  });

  it("makes them history: they are neither corrected nor superseded again", async () => {
    const namespace = "history";
    const { paris, berlin } = await movedTo(namespace);
    const refusal = { code: "FailedPrecondition", reason: "MEMORY_NOT_ACTIVE" };
    const metadata = { id: paris, state: "SUPERSEDED", superseded_by: berlin };
    const corrected = app.memory.updateMemory({ namespace, memory: { id: paris, text: "x" } });
    expect(await refusalOf(corrected)).toMatchObject({ ...refusal, metadata });
    const again = app.memory.createMemory({ namespace, memory: { text: "Rome", supersedes: [paris] } });
    expect(await refusalOf(again)).toMatchObject({ ...refusal, metadata });
  });

  it("may follow them in one batch", async () => {
    const namespace = "batch";
    const { results } = await app.memory.batchCreateMemories({
      namespace,
      memories: [
        { id: "paris", text: "Ana lives in Paris" },
        { id: "rome", text: "Ana lives in Rome", supersedes: ["paris"] },
        { id: "berlin", text: "Ana lives in Berlin", supersedes: ["rome"] },
        { id: "oslo", text: "Ana lives in Oslo", supersedes: ["rome"] },
      ],
    });
    expect(results.map(({ outcome }) => outcome.case)).toEqual(["memory", "memory", "memory", "error"]);
    expect(await textsOf(namespace, false)).toEqual(["Ana lives in Berlin"]);
    const { memory } = await app.memory.getMemory({ namespace, id: "paris" });
    expect(memory).toMatchObject({ state: State.SUPERSEDED, supersededBy: "rome" });
  });

  it.each([
    ["itself", { id: "own", text: "x", supersedes: ["own"] }, OnDuplicate.UNSPECIFIED, "memory.supersedes"],
    ["others, and may be dropped", { text: "x", supersedes: ["y"] }, OnDuplicate.REFUSE, "on_duplicate"],
  ])("is refused where it supersedes %s", async (_, memory, onDuplicate, field) => {
    const refusal = await refusalOf(app.memory.createMemory({ namespace: "refused", memory, onDuplicate }));
    expect(refusal).toMatchObject({ code: "InvalidArgument", reason: "REQUEST_INVALID", fields: [field] });
  });

  it("keeps what it supersedes: an update may repeat it, and may not change it", async () => {
    const namespace = "update";
    const { paris, berlin } = await movedTo(namespace);
    const { memory } = await app.memory.getMemory({ namespace, id: berlin });
    const updated = await app.memory.updateMemory({
      namespace,
      memory: { id: berlin, text: "Ana lives in Berlin now", supersedes: memory?.supersedes ?? [] },
    });
    expect(updated.memory).toMatchObject({ text: "Ana lives in Berlin now", supersedes: [paris] });
    const other = app.memory.updateMemory({ namespace, memory: { id: berlin, supersedes: ["other"] } });
    expect(await refusalOf(other)).toMatchObject({ code: "InvalidArgument", fields: ["memory.supersedes"] });
  });
});

describe("the past", () => {
  let app: TestApp;
  let now = NOW;
  beforeAll(async () => {
    app = await startApp({ overrides: { clock: { now: () => now } } });
  });
  afterAll(async () => {
    await app[Symbol.asyncDispose]();
  });

  const query = { by: { case: "text" as const, value: "where does Ana live" } };
  /** The texts that a search and a list have as of a time; absent: of now. */
  const textsAsOf = async (namespace: string, time?: number): Promise<string[]> => {
    const asOf = time === undefined ? {} : { asOf: timestampFromMs(time) };
    const { results } = await app.memory.searchMemories({ namespace, query, ...asOf });
    const found = results.map(({ memory }) => memory?.text ?? "").sort();
    const { memories } = await app.memory.listMemories({ namespace, ...asOf });
    expect(memories.map(({ text }) => text).sort()).toEqual(found);
    return found;
  };
  const importAll = async (
    namespace: string,
    memories: MessageInitShape<typeof ImportMemoriesRequestSchema>["memories"] & object,
  ): Promise<void> => {
    const requests = async function* () {
      yield { namespace, memories, sequence: 1 };
    };
    for await (const { refusedCount } of app.memory.importMemories(requests())) expect(refusedCount).toBe(0);
  };

  it("is searched and listed as of any time: what was stored, what replaced it, and what holds", async () => {
    const namespace = "as-of";
    const lastYear = NOW - 365 * DAY;
    const times = { createTime: timestampFromMs(lastYear), updateTime: timestampFromMs(lastYear) };
    await importAll(namespace, [{ id: "paris", text: "Ana lives in Paris", ...times }]);
    now = NOW;
    const memory = { text: "Ana lives in Berlin", supersedes: ["paris"] };
    await app.memory.createMemory({ namespace, memory });
    now = NOW + DAY;
    const until = { validUntil: timestampFromMs(NOW + 5 * DAY), text: "Ana lives with Bo until Tuesday" };
    await app.memory.createMemory({ namespace, memory: until });
    expect(await textsAsOf(namespace)).toEqual([memory.text, until.text]);
    expect(await textsAsOf(namespace, lastYear - 1)).toEqual([]);
    expect(await textsAsOf(namespace, lastYear)).toEqual(["Ana lives in Paris"]);
    expect(await textsAsOf(namespace, NOW - 1)).toEqual(["Ana lives in Paris"]);
    expect(await textsAsOf(namespace, NOW)).toEqual([memory.text]);
    expect(await textsAsOf(namespace, NOW + DAY)).toEqual([memory.text, until.text]);
    // A time to come, when its validity has ended.
    expect(await textsAsOf(namespace, NOW + 5 * DAY)).toEqual([memory.text]);
  });

  it("shows memories in the state that they have now, and filters by the one that they had", async () => {
    const namespace = "as-of-state";
    now = NOW;
    await app.memory.createMemory({ namespace, memory: { id: "paris", text: "Ana lives in Paris" } });
    now = NOW + DAY;
    await app.memory.createMemory({
      namespace,
      memory: { text: "Ana lives in Oslo", supersedes: ["paris"] },
    });
    const asOf = timestampFromMs(NOW);
    const found = await app.memory.searchMemories({ namespace, query, asOf });
    expect(found.results.map(({ memory }) => [memory?.id, memory?.state])).toEqual([
      ["paris", State.SUPERSEDED],
    ]);
    const superseded = { namespace, filter: { states: [State.SUPERSEDED] } };
    expect((await app.memory.listMemories({ ...superseded, asOf })).memories).toEqual([]);
    const later = { ...superseded, asOf: timestampFromMs(now) };
    expect((await app.memory.listMemories(later)).memories.map(({ id }) => id)).toEqual(["paris"]);
    const both = { namespace, query, asOf: timestampFromMs(now), includeSuperseded: true };
    expect((await app.memory.searchMemories(both)).results).toHaveLength(2);
  });

  it("is listed page by page, and a page token belongs to its time", async () => {
    const namespace = "as-of-pages";
    now = NOW;
    await app.memory.batchCreateMemories({ namespace, memories: ["a", "b", "c"].map((text) => ({ text })) });
    const first = { namespace, pageSize: 2, asOf: timestampFromMs(NOW) };
    const { nextPageToken: pageToken } = await app.memory.listMemories(first);
    expect((await app.memory.listMemories({ ...first, pageToken })).memories).toHaveLength(1);
    for (const asOf of [{}, { asOf: timestampFromMs(NOW + 1) }]) {
      const other = app.memory.listMemories({ namespace, pageSize: 2, pageToken, ...asOf });
      expect(await refusalOf(other)).toMatchObject({ reason: "PAGE_TOKEN_INVALID" });
    }
  });

  it("is refused for what is no time", async () => {
    const asOf = { seconds: 253_402_300_800n, nanos: 0 };
    const refusal = { code: "InvalidArgument", reason: "REQUEST_INVALID", fields: ["as_of"] };
    expect(await refusalOf(app.memory.searchMemories({ query, asOf }))).toMatchObject(refusal);
    expect(await refusalOf(app.memory.listMemories({ asOf }))).toMatchObject(refusal);
  });
});

describe("the neighbours of a result", () => {
  let app: TestApp;
  beforeAll(async () => {
    app = await startApp();
  });
  afterAll(async () => {
    await app[Symbol.asyncDispose]();
  });

  const query = { by: { case: "text" as const, value: "nuts" } };
  const conversation = async (namespace: string, texts: readonly string[]): Promise<void> => {
    const memories = texts.map((text, at) => ({ id: `m${at + 1}`, text, sessionId: "s", kind: 4 }));
    await app.memory.batchCreateMemories({ namespace, memories });
  };
  const search = async (request: Parameters<TestApp["memory"]["searchMemories"]>[0]) => {
    const answer = await app.memory.searchMemories(request);
    const found = answer.results.map(({ memory, neighbors }) => [memory?.id, neighbors.map(({ id }) => id)]);
    return { answer, found };
  };

  it("come with it, by position, and none unless asked for", async () => {
    const namespace = "beside";
    await conversation(namespace, ["hello", "what to cook", "no nuts please", "of course", "thanks"]);
    const base = { namespace, query, mode: 3, limit: 1 };
    expect((await search(base)).found).toEqual([["m3", []]]);
    expect((await search({ ...base, neighbors: 1 })).found).toEqual([["m3", ["m2", "m4"]]]);
    expect((await search({ ...base, neighbors: 5 })).found).toEqual([["m3", ["m1", "m2", "m4", "m5"]]]);
    const { answer } = await search({ ...base, neighbors: 1, explain: true });
    expect(answer.results[0]?.neighbors).toMatchObject([
      { text: "what to cook", namespace, sessionPosition: 2 },
      { text: "of course", namespace, sessionPosition: 4 },
    ]);
    for (const more of [
      { diversity: 0.5, mode: 1 },
      { minSimilarity: -1, mode: 1 },
    ]) {
      expect((await search({ ...base, ...more, neighbors: 1 })).found).toEqual([["m3", ["m2", "m4"]]]);
    }
    expect(await refusalOf(app.memory.searchMemories({ ...base, neighbors: 6 }))).toMatchObject({
      fields: ["neighbors"],
    });
  });

  it("do not count as accessed", async () => {
    const namespace = "beside-accessed";
    await conversation(namespace, ["hello", "no nuts please"]);
    await search({ namespace, query, mode: 3, limit: 1, neighbors: 1 });
    const { memories } = await app.memory.batchGetMemories({ namespace, ids: ["m1", "m2"] });
    expect(memories.map(({ accessCount }) => accessCount)).toEqual([0n, 1n]);
  });

  it("keep the answer within its bound: results that do not fit with theirs are left out", async () => {
    const namespace = "beside-large";
    const texts = Array.from(
      { length: 60 },
      (_, at) => `${at} ${at % 2 === 0 ? "nuts" : ""} ${"x".repeat(20_000)}`,
    );
    await conversation(namespace, texts);
    for (const maxAnswerBytes of [1, 30_000, 200_000, 1_000_000, 4_000_000]) {
      const request = { namespace, query, mode: 3, limit: 100, neighbors: 5, maxAnswerBytes };
      const { answer, found } = await search(request);
      const bytes = toBinary(
        SearchMemoriesResponseSchema,
        create(SearchMemoriesResponseSchema, answer),
      ).length;
      expect(answer.truncated).toBe(true);
      expect(found.length).toBeGreaterThan(0);
      if (maxAnswerBytes > 20_500) expect(bytes).toBeLessThanOrEqual(maxAnswerBytes);
      // Each that is returned is returned whole; the first may come without its neighbours.
      const isAlone = maxAnswerBytes < 130_000;
      for (const [, beside] of found) expect((beside ?? []).length > 4).toBe(!isAlone);
    }
    const all = { namespace, query, mode: 3, limit: 100, neighbors: 5, maxAnswerBytes: 16 * 1024 * 1024 };
    const { answer, found } = await search(all);
    expect(answer.truncated).toBe(false);
    expect(found).toHaveLength(30);
  });
});

describe("a session", () => {
  it("has every memory of 100 concurrent appenders, each of them in its order", async () => {
    await using app = await startApp();
    const [appenders, each] = [100, 3];
    const append = async (appender: number): Promise<void> => {
      for (let at = 0; at < each; at += 1) {
        const text = `appender ${appender} says ${at}`;
        await app.memory.createMemory({ memory: { id: `${appender}-${at}`, text, sessionId: "s" } });
      }
    };
    await Promise.all(Array.from({ length: appenders }, (_, appender) => append(appender)));
    const { memories } = await app.memory.listMemories({ filter: { sessionId: "s" }, pageSize: 1000 });
    const inOrder = memories.toSorted((a, b) => a.sessionPosition - b.sessionPosition);
    expect(inOrder.map(({ sessionPosition }) => sessionPosition)).toEqual(
      Array.from({ length: appenders * each }, (_, at) => at + 1),
    );
    for (let appender = 0; appender < appenders; appender += 1) {
      const own = inOrder.map(({ id }) => id).filter((id) => id.startsWith(`${appender}-`));
      expect(own).toEqual(Array.from({ length: each }, (_, at) => `${appender}-${at}`));
    }
  });
});
