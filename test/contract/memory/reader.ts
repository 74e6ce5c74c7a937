import { describe, expect, it } from "vitest";
import { ACTIVE_ONLY, type MemoryFilter } from "../../../src/domain/memory/filter.ts";
import type { ListPosition } from "../../../src/ports/memory/reader.ts";
import { memory, NOW, newMemory, seededRandom } from "../../support/builders.ts";
import { freshNamespaceKey, reasonOf, vectorOf } from "../store-under-test.ts";
import { ALL, ANY_STATE, idsOf, type MemorySubject, search, storedIds, write } from "./support.ts";

/** get, exist and list; count goes with what it counts. */
export function readerCases(subject: MemorySubject): void {
  describe("get", () => {
    it("returns memories in the order of the ids, undefined for missing ones, and repeated ids twice", async () => {
      const [a, b] = [memory({ id: "a" }), memory({ id: "b" })];
      await write(subject, newMemory(a), newMemory(b));
      const found = await subject.store.reader.get(subject.scope, ["b", "none", "a", "b"], NOW);
      expect(found).toEqual([b, undefined, a, b]);
      expect(await subject.store.reader.get(subject.scope, [], NOW)).toEqual([]);
    });

    it("finds memories in any state", async () => {
      const memories = ANY_STATE.states.map((state) => memory({ id: state, state }));
      await write(subject, ...memories.map((one) => newMemory(one)));
      expect(await subject.store.reader.get(subject.scope, idsOf(memories), NOW)).toEqual(memories);
    });
  });

  describe("exist", () => {
    it("returns in order which ids exist, in any state, unless expired", async () => {
      await write(
        subject,
        newMemory({ id: "a", state: "ARCHIVED" }),
        newMemory({ id: "b", expireTime: NOW + 1 }),
      );
      expect(await subject.store.reader.exist(subject.scope, ["b", "none", "a"], NOW)).toEqual([
        true,
        false,
        true,
      ]);
      expect(await subject.store.reader.exist(subject.scope, ["b", "a"], NOW + 1)).toEqual([false, true]);
      expect(await subject.store.reader.exist(freshNamespaceKey(), ["a"], NOW)).toEqual([false]);
    });
  });

  describe("an unknown namespace", () => {
    it("is empty in every read", async () => {
      const { store, scope } = subject;
      expect(await store.reader.get(scope, ["a", "b"], NOW)).toEqual([undefined, undefined]);
      expect(await store.reader.list(scope, { filter: ANY_STATE, limit: ALL, now: NOW })).toEqual([]);
      expect(await store.search.vectors(scope, ["a", "b"])).toEqual([undefined, undefined]);
      const found = await search(subject, { vector: vectorOf(1), terms: ["fact"] });
      expect([found.byVector, found.byKeyword, found.corpus.documentCount]).toEqual([[], [], 0]);
      expect(found.corpus.meanLength).toBe(0);
      expect(found.corpus.documentFrequencies.get("fact") ?? 0).toBe(0);
    });

    it("has nothing to delete", async () => {
      expect(await reasonOf(subject.store.writer.delete(subject.scope, "a", { now: NOW }))).toBe(
        "MEMORY_NOT_FOUND",
      );
    });
  });

  describe("list", () => {
    it("is ordered by time and, where that is equal, by id, newest first", async () => {
      const times: readonly (readonly [string, number])[] = [
        ["b", 2],
        ["z", 1],
        ["a", 2],
        ["B", 2],
        ["c", 3],
        ["10", 2],
        ["9", 2],
      ];
      await write(
        subject,
        ...times.map(([id, time]) => newMemory({ id, createTime: NOW + time }, { onDuplicate: "ALLOW" })),
      );
      expect(await walk(subject, ALL)).toEqual(["c", "b", "a", "B", "9", "10", "z"]);
    });

    it.each([1, 2, 3, 7, 30, 31])("gives each memory once in pages of %d", async (limit) => {
      const random = seededRandom(11);
      await write(
        subject,
        ...Array.from({ length: 30 }, (_, index) =>
          newMemory({ id: `m${index}`, createTime: NOW + Math.floor(random() * 8) }),
        ),
      );
      const whole = await subject.store.reader.list(subject.scope, {
        filter: ANY_STATE,
        limit: ALL,
        now: NOW,
      });
      expect(whole).toHaveLength(30);
      expect(await walk(subject, limit)).toEqual(idsOf(whole));
    });

    it("pages through what passes the filter alone", async () => {
      await write(
        subject,
        ...Array.from({ length: 20 }, (_, index) =>
          newMemory({ id: `m${String(index).padStart(2, "0")}`, pinned: index % 3 === 0 }),
        ),
      );
      const pinned = await walk(subject, 2, { filter: { ...ACTIVE_ONLY, pinned: true } });
      expect(pinned).toEqual(["m18", "m15", "m12", "m09", "m06", "m03", "m00"]);
    });

    it("neither repeats nor skips an older memory when newer ones are written between pages", async () => {
      const old = ["e", "d", "c", "b", "a"];
      await write(subject, ...old.map((id) => newMemory({ id })));
      const foundIds = await walk(subject, 2, {
        between: (page) => write(subject, newMemory({ id: `new${page}`, createTime: NOW + 1 + page })),
      });
      expect(foundIds).toEqual(old);
      expect(await storedIds(subject)).toHaveLength(8);
    });

    it("includes memories written after the page, also with the create time of its last one", async () => {
      await write(subject, ...["e", "d", "c"].map((id) => newMemory({ id })));
      const first = await subject.store.reader.list(subject.scope, { filter: ANY_STATE, limit: 2, now: NOW });
      expect(idsOf(first)).toEqual(["e", "d"]);
      await write(
        subject,
        newMemory({ id: "f" }),
        newMemory({ id: "dd" }),
        newMemory({ id: "ca" }),
        newMemory({ id: "z", createTime: NOW - 1 }),
      );
      const rest = await subject.store.reader.list(subject.scope, {
        filter: ANY_STATE,
        after: { createTime: NOW, id: "d" },
        limit: ALL,
        now: NOW,
      });
      expect(idsOf(rest)).toEqual(["ca", "c", "z"]);
    });

    it("continues after a deleted memory", async () => {
      await write(subject, ...["e", "d", "c", "b", "a"].map((id) => newMemory({ id })));
      const foundIds = await walk(subject, 2, {
        between: async (page) => {
          if (page === 0) await subject.store.writer.delete(subject.scope, "d", { now: NOW });
          if (page === 1) await subject.store.writer.delete(subject.scope, "e", { now: NOW });
        },
      });
      expect(foundIds).toEqual(["e", "d", "c", "b", "a"]);
    });

    it("is empty behind the last one", async () => {
      await write(subject, newMemory({ id: "a" }));
      const after = { createTime: NOW, id: "a" };
      expect(
        await subject.store.reader.list(subject.scope, { filter: ANY_STATE, after, limit: ALL, now: NOW }),
      ).toEqual([]);
    });
  });
}

/** The ids of a list, page by page to the end; `between` runs after each page that is not the last. */
async function walk(
  subject: MemorySubject,
  limit: number,
  options: {
    readonly filter?: MemoryFilter;
    readonly between?: (page: number) => Promise<unknown>;
  } = {},
): Promise<string[]> {
  const foundIds: string[] = [];
  let after: ListPosition | undefined;
  // Bounded, so that a list without end fails here.
  for (let page = 0; page < ALL; page += 1) {
    const found = await subject.store.reader.list(subject.scope, {
      filter: options.filter ?? ANY_STATE,
      ...(after === undefined ? {} : { after }),
      limit,
      now: NOW,
    });
    expect(found.length).toBeLessThanOrEqual(limit);
    foundIds.push(...idsOf(found));
    const last = found.at(-1);
    if (last === undefined) return foundIds;
    after = { createTime: last.createTime, id: last.id };
    await options.between?.(page);
  }
  throw new Error("a list without end");
}
