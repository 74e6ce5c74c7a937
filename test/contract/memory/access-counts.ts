import { expect, it } from "vitest";
import { ACTIVE_ONLY, type TimeRange } from "../../../src/domain/memory/filter.ts";
import type { AccessStatistics } from "../../../src/domain/memory/memory.ts";
import type { Memories } from "../../../src/ports/memory/memories.ts";
import { NOW, newMemory } from "../../support/builders.ts";
import { freshNamespaceKey, vectorOf } from "../store-under-test.ts";
import { ALL, idsOf, listAll, type MemorySubject, memoryOf, search, write } from "./support.ts";

/** The contract of access counts. */
export function accessCases(subject: MemorySubject): void {
  const count = (ids: readonly string[], now: number): void =>
    subject.store.accessCounts.add(subject.scope, ids, now);
  const accessOf = async (id: string, now = NOW): Promise<AccessStatistics | undefined> =>
    (await subject.store.reader.get(subject.scope, [id], now))[0]?.access;
  const times = (accessCount: number, lastAccessTime: number): AccessStatistics => ({
    accessCount,
    lastAccessTime,
  });
  /** Flushes the pending counts: a filter by access includes all of them in any store. */
  const listedBy = async (lastAccessTime: TimeRange): Promise<string[]> => {
    const filter = { ...ACTIVE_ONLY, lastAccessTime };
    return idsOf(await subject.store.reader.list(subject.scope, { filter, limit: ALL, now: NOW })).sort();
  };

  it("has not happened before it is counted", async () => {
    const [created] = await write(subject, newMemory({ id: "a" }));
    expect(memoryOf(created).access).toBeUndefined();
    expect(await accessOf("a")).toBeUndefined();
  });

  it("is seen at once by every read, with the latest time", async () => {
    await write(subject, newMemory({ id: "a", text: "the same" }), newMemory({ id: "b" }));
    count(["a", "b"], NOW + 5);
    count(["a"], NOW + 3);
    count(["a", "a"], NOW + 9);
    expect(await accessOf("a")).toEqual(times(4, NOW + 9));
    expect(await accessOf("b")).toEqual(times(1, NOW + 5));
    const listed = await listAll(subject.store, subject.scope);
    expect(listed.map(({ id, access }) => [id, access])).toEqual([
      ["b", times(1, NOW + 5)],
      ["a", times(4, NOW + 9)],
    ]);
    const [duplicate] = await write(subject, newMemory({ id: "c", text: "the same" }));
    expect(memoryOf(duplicate)).toMatchObject({ id: "a", access: times(4, NOW + 9) });
  });

  it("is the sum of stored and pending counts", async () => {
    await write(subject, newMemory({ id: "a" }));
    for (const round of [1, 2, 3]) {
      count(["a"], NOW + round);
      expect(await listedBy({ start: NOW + round })).toEqual(["a"]);
      count(["a"], NOW);
      expect(await accessOf("a")).toEqual(times(2 * round, NOW + round));
    }
  });

  it("is kept over a restart", async () => {
    await write(subject, newMemory({ id: "a" }), newMemory({ id: "b" }));
    count(["a"], NOW + 1);
    await subject.reopen();
    count(["a"], NOW + 2);
    expect(await accessOf("a")).toEqual(times(2, NOW + 2));
    expect(await accessOf("b")).toBeUndefined();
  });

  it("changes neither the memory nor its etag", async () => {
    const [created] = await write(subject, newMemory({ id: "a" }));
    count(["a"], NOW);
    const [read] = await subject.store.reader.get(subject.scope, ["a"], NOW);
    expect(read).toEqual({ ...memoryOf(created), access: times(1, NOW) });
    await subject.store.writer.delete(subject.scope, "a", { etag: memoryOf(created).etag, now: NOW });
  });

  it("outlives a replacement, counted before or while it happens", async () => {
    const [created] = await write(subject, newMemory({ id: "a" }));
    count(["a"], NOW + 1);
    expect(await listedBy({})).toEqual(["a"]);
    count(["a"], NOW + 2);
    const { onDuplicate: _, ...next } = newMemory({ id: "a", text: "new", etag: "e2" });
    const replacing = subject.store.writer.replace(subject.scope, memoryOf(created).etag, next, { now: NOW });
    count(["a"], NOW + 3);
    expect((await replacing).access?.accessCount).toBeGreaterThanOrEqual(2);
    expect(await accessOf("a")).toEqual(times(3, NOW + 3));
    await subject.reopen();
    expect(await accessOf("a")).toEqual(times(3, NOW + 3));
  });

  it("is deleted with the memory: a new one with its id has not been accessed", async () => {
    await write(subject, newMemory({ id: "deleted" }), newMemory({ id: "purged", tags: ["x"] }));
    await write(subject, newMemory({ id: "expired", expireTime: NOW + 1 }));
    count(["deleted", "purged", "expired"], NOW);
    expect(await listedBy({ start: NOW })).toHaveLength(3);
    count(["deleted", "purged", "expired"], NOW);
    await subject.store.writer.delete(subject.scope, "deleted", { now: NOW });
    await subject.store.purge.run(subject.scope, { ...ACTIVE_ONLY, tagsAny: ["x"] }, { now: NOW });
    const again = ["deleted", "purged", "expired"].map((id) => newMemory({ id }, { onDuplicate: "ALLOW" }));
    await subject.store.writer.create(subject.scope, again, { now: NOW + 1 });
    for (const id of ["deleted", "purged", "expired"]) expect(await accessOf(id, NOW + 1)).toBeUndefined();
    expect(await listedBy({ start: 0 })).toEqual([]);
  });

  it("is dropped for a missing memory, and creates no namespace", async () => {
    count(["a"], NOW);
    await write(subject, newMemory({ id: "a" }));
    expect(await accessOf("a")).toBeUndefined();
    count(["b"], NOW);
    expect(await listedBy({ start: 0 })).toEqual([]);
    await write(subject, newMemory({ id: "b" }));
    expect(await accessOf("b")).toBeUndefined();
    // The namespace exists now, and nothing in between flushes the counts.
    count(["c", "d"], NOW);
    await write(subject, newMemory({ id: "c" }));
    const { onDuplicate: _, ...imported } = newMemory({ id: "d" });
    await subject.store.importer.import(subject.scope, [imported], { now: NOW });
    expect([await accessOf("c"), await accessOf("d")]).toEqual([undefined, undefined]);
    expect(await listedBy({ start: 0 })).toEqual([]);
  });

  it("is of one scope", async () => {
    const other = freshNamespaceKey();
    await write(subject, newMemory({ id: "a" }));
    await subject.store.writer.create(other, [newMemory({ id: "a" })], { now: NOW });
    subject.store.accessCounts.add(other, ["a"], NOW);
    expect(await accessOf("a")).toBeUndefined();
    expect((await subject.store.reader.get(other, ["a"], NOW))[0]?.access).toEqual(times(1, NOW));
  });

  it("filters lists, counts, searches and purges, counted a moment ago or not", async () => {
    const ids = ["a", "b", "c", "late"];
    await write(
      subject,
      ...ids.map((id, index) => newMemory({ id, text: `tea ${id}` }, { vector: vectorOf(index) })),
    );
    count(["a"], NOW + 1);
    expect(await listedBy({ start: NOW + 1, end: NOW + 2 })).toEqual(["a"]);
    count(["b"], NOW + 2);
    count(["c"], NOW + 3);
    expect(await listedBy({ start: NOW + 2 })).toEqual(["b", "c"]);
    expect(await listedBy({ end: NOW + 3 })).toEqual(["a", "b"]);
    expect(await listedBy({})).toEqual(["a", "b", "c", "late"]);
    const { store, scope } = subject;
    const since = (start: number) => ({ ...ACTIVE_ONLY, lastAccessTime: { start } });
    count(["a"], NOW + 4);
    expect(await store.reader.count(scope, since(NOW + 3), NOW)).toBe(2);
    count(["b"], NOW + 5);
    const found = await search(subject, { vector: vectorOf(0), terms: ["tea"], filter: since(NOW + 4) });
    expect([idsOf(found.byVector).sort(), idsOf(found.byKeyword).sort()]).toEqual([
      ["a", "b"],
      ["a", "b"],
    ]);
    count(["late"], NOW - 1);
    const bounds = { limit: ALL, maxBytes: Number.MAX_SAFE_INTEGER, now: NOW };
    const untilNow = { ...ACTIVE_ONLY, lastAccessTime: { end: NOW } };
    expect(idsOf(await store.exporter.listOldest(scope, { filter: untilNow, ...bounds }))).toEqual(["late"]);
    count(["c"], NOW + 6);
    expect(await store.purge.run(scope, since(NOW + 5), { now: NOW })).toBe(2);
    expect(idsOf(await listAll(store, scope)).sort()).toEqual(["a", "late"]);
  });

  it("never fails, not even on a store that is closed", async () => {
    await write(subject, newMemory({ id: "a" }));
    const closed: Memories = subject.store;
    await subject.reopen();
    expect(() => closed.accessCounts.add(subject.scope, ["a"], NOW)).not.toThrow();
  });
}
