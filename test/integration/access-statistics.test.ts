import { timestampFromMs } from "@bufbuild/protobuf/wkt";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import type { Memory } from "#gen/recollect/v1/memory_pb.js";
import { NOW } from "../support/builders.ts";
import { startApp, type TestApp } from "../support/start-app.ts";

describe("access statistics", () => {
  let app: TestApp;
  let now: number;
  beforeEach(async () => {
    now = NOW;
    app = await startApp({ overrides: { clock: { now: () => now } } });
    await app.memory.batchCreateMemories({
      memories: ["a", "b", "c"].map((id) => ({ id, text: `tea of ${id}` })),
    });
  });
  afterEach(async () => {
    await app[Symbol.asyncDispose]();
  });

  /** Reads by a list, which is no access. */
  async function statistics(): Promise<Record<string, readonly [count: number, time: unknown]>> {
    const { memories } = await app.memory.listMemories({});
    return Object.fromEntries(
      memories.map(({ id, accessCount, lastAccessTime }) => [id, [Number(accessCount), lastAccessTime]]),
    );
  }
  const never = [0, undefined];
  const times = (count: number, time: number) => [count, timestampFromMs(time)];
  const shown = (memory: Memory | undefined) => [Number(memory?.accessCount), memory?.lastAccessTime];

  it("count reads by id and the results of a returned search page, and nothing else", async () => {
    expect(await statistics()).toEqual({ a: never, b: never, c: never });
    now += 1000;
    const { memory } = await app.memory.getMemory({ id: "a" });
    expect(shown(memory)).toEqual(never);
    now += 1000;
    const batch = await app.memory.batchGetMemories({ ids: ["a", "b", "nobody"] });
    expect(batch.memories.map(shown)).toEqual([times(1, NOW + 1000), never]);
    expect(await statistics()).toEqual({ a: times(2, NOW + 2000), b: times(1, NOW + 2000), c: never });
    now += 1000;
    const { results } = await app.memory.searchMemories({
      query: { by: { case: "text", value: "tea of c" } },
      limit: 1,
    });
    expect(results.map((result) => [result.memory?.id, shown(result.memory)])).toEqual([["c", never]]);
    const expected = { a: times(2, NOW + 2000), b: times(1, NOW + 2000), c: times(1, NOW + 3000) };
    expect(await statistics()).toEqual(expected);
    await app.memory.searchMemories({ query: { by: { case: "memoryId", value: "a" } }, limit: 1 });
    expect((await statistics())["a"]).toEqual(expected.a);
  });

  it("survive an update of the memory, and do not change its etag", async () => {
    const before = (await app.memory.getMemory({ id: "a" })).memory;
    const read = (await app.memory.getMemory({ id: "a" })).memory;
    expect(read?.etag).toBe(before?.etag);
    now += 1000;
    const { memory } = await app.memory.updateMemory({
      memory: { id: "a", text: "no tea", etag: read?.etag ?? "" },
    });
    expect(shown(memory)).toEqual(times(2, NOW));
    const again = await app.memory.createMemory({ memory: { text: "no tea" } });
    expect([again.duplicate, shown(again.memory)]).toEqual([true, times(2, NOW)]);
  });

  it("can be filtered by last access time, and survive a restart", async () => {
    for (const id of ["a", "b"]) {
      now += 1000;
      await app.memory.getMemory({ id });
    }
    const listed = async (of: TestApp, start: number, end?: number): Promise<string[]> => {
      const lastAccessTime = {
        start: timestampFromMs(start),
        ...(end === undefined ? {} : { end: timestampFromMs(end) }),
      };
      const { memories } = await of.memory.listMemories({ filter: { lastAccessTime } });
      return memories.map(({ id }) => id).sort();
    };
    expect(await listed(app, NOW)).toEqual(["a", "b"]);
    expect(await listed(app, NOW, NOW + 2000)).toEqual(["a"]);
    expect(await listed(app, NOW + 2001)).toEqual([]);
    await app.memory.getMemory({ id: "c" });
    await app.stop();
    await using restarted = await startApp({ dataDir: app.dataDir });
    expect(await listed(restarted, NOW + 2000)).toEqual(["b", "c"]);
  });

  it("cannot be set by a caller", async () => {
    await app.memory.createMemory({
      memory: { id: "d", text: "boasting", accessCount: 99n, lastAccessTime: timestampFromMs(NOW) },
    });
    expect((await statistics())["d"]).toEqual(never);
  });
});
