import { describe, expect, it } from "vitest";
import { ACTIVE_ONLY, type MemoryFilter } from "../../../src/domain/memory/filter.ts";
import type { Memory } from "../../../src/domain/memory/memory.ts";
import type { ListPosition } from "../../../src/ports/memory/reader.ts";
import type { ImportedMemory, ImportOutcome } from "../../../src/ports/memory/transfer.ts";
import { DAY, memory, NOW, newMemory, seededRandom } from "../../support/builders.ts";
import { freshNamespaceKey, vectorOf } from "../store-under-test.ts";
import {
  ALL,
  ANY_STATE,
  idsOf,
  listAll,
  type MemorySubject,
  memoryOf,
  search,
  storedIds,
  write,
} from "./support.ts";

const UNBOUNDED = Number.MAX_SAFE_INTEGER;

/** import, and the list that exports walk. */
export function transferCases(subject: MemorySubject): void {
  const item = (given: Partial<Memory>, seed?: number): ImportedMemory => {
    const { onDuplicate: _onDuplicate, ...made } = newMemory(
      given,
      seed === undefined ? {} : { vector: vectorOf(seed) },
    );
    return made;
  };
  const importAll = (...items: readonly ImportedMemory[]): Promise<ImportOutcome[]> =>
    subject.store.importer.import(subject.scope, items, { now: NOW });
  const positions = async (): Promise<Record<string, number>> =>
    Object.fromEntries(
      (await listAll(subject.store, subject.scope)).map((one) => [one.id, one.sessionPosition]),
    );
  const message = (id: string, sessionPosition: number): ImportedMemory =>
    item({ id, sessionPosition, sessionId: "s", kind: "MESSAGE", text: "ok" });

  describe("an import", () => {
    it("keeps a memory as it is, and finds it by both retrievers", async () => {
      const given = memory({
        id: "a",
        text: "oak",
        sessionId: "s",
        sessionPosition: 7,
        createTime: NOW - 2 * DAY,
        updateTime: NOW - DAY,
        expireTime: NOW + DAY,
        state: "SUPERSEDED",
        supersedes: ["x", "w"],
        supersededBy: "b",
      });
      expect(await importAll(item(given, 1))).toEqual(["imported"]);
      expect(await subject.store.reader.get(subject.scope, ["a"], NOW)).toEqual([given]);
      const found = await search(subject, { vector: vectorOf(1), terms: ["oak"] });
      expect([idsOf(found.byVector), idsOf(found.byKeyword)]).toEqual([["a"], ["a"]]);
      expect(await subject.store.search.vectors(subject.scope, ["a"])).toEqual([vectorOf(1)]);
    });

    it("is kept after a restart", async () => {
      await importAll(item({ id: "a" }, 1));
      await subject.reopen();
      expect(await storedIds(subject)).toEqual(["a"]);
    });

    it("skips an id that exists, before the batch or in it, and does not change it", async () => {
      await write(subject, newMemory({ id: "a", text: "first" }));
      const outcomes = await importAll(
        item({ id: "a", text: "second" }),
        item({ id: "b", text: "first" }),
        item({ id: "b", text: "third" }),
      );
      expect(outcomes).toEqual(["skipped", "imported", "skipped"]);
      const found = await subject.store.reader.get(subject.scope, ["a", "b"], NOW);
      expect(found.map((one) => one?.text)).toEqual(["first", "first"]);
    });

    it("takes the id of an expired memory", async () => {
      await write(
        subject,
        newMemory({ id: "a", text: "first", expireTime: NOW + 1 }, { vector: vectorOf(1) }),
      );
      const later = { now: NOW + 1 };
      expect(
        await subject.store.importer.import(subject.scope, [item({ id: "a", text: "next" }, 2)], later),
      ).toEqual(["imported"]);
      const found = await search(subject, { vector: vectorOf(2), terms: ["first"] }, NOW + 1);
      expect([idsOf(found.byVector), idsOf(found.byKeyword), found.corpus.documentCount]).toEqual([
        ["a"],
        [],
        1,
      ]);
    });

    it("of the same ids by many at once stores each once", async () => {
      const items = Array.from({ length: 20 }, (_, index) => item({ id: `m${index}` }));
      const outcomes = await Promise.all(Array.from({ length: 5 }, () => importAll(...items)));
      expect(outcomes.flat().filter((outcome) => outcome === "imported")).toHaveLength(20);
      expect(await storedIds(subject)).toHaveLength(20);
    });

    it("keeps to its scope", async () => {
      await importAll(item({ id: "a" }));
      const elsewhere = freshNamespaceKey();
      expect(await subject.store.importer.import(elsewhere, [item({ id: "a" })], { now: NOW })).toEqual([
        "imported",
      ]);
      expect(await subject.store.reader.exist(freshNamespaceKey(), ["a"], NOW)).toEqual([false]);
    });

    it("keeps session positions in any order, and assigns later ones after them", async () => {
      await importAll(message("c", 9), message("a", 2), message("b", 4));
      expect(await positions()).toEqual({ a: 2, b: 4, c: 9 });
      const [next] = await write(subject, newMemory({ id: "d", sessionId: "s" }));
      expect(memoryOf(next).sessionPosition).toBe(10);
    });

    it("assigns the next position when one is taken or missing", async () => {
      await write(subject, newMemory({ id: "a", sessionId: "s" }), newMemory({ id: "b", sessionId: "s" }));
      await importAll(message("c", 1), message("d", 2), message("e", 0), message("f", 7));
      expect(await positions()).toEqual({ a: 1, b: 2, c: 3, d: 4, e: 5, f: 7 });
    });

    it("keeps positions that only expired memories had", async () => {
      const expireTime = NOW + 1;
      const ids = Array.from({ length: 100 }, (_, index) => `m${index}`);
      await write(
        subject,
        ...ids.map((id) => newMemory({ id: `expired ${id}`, sessionId: "s", expireTime })),
      );
      const items = ids.map((id, index) => message(id, index + 1));
      await subject.store.importer.import(subject.scope, items, { now: expireTime });
      const found = await subject.store.reader.get(subject.scope, ids, expireTime);
      expect(found.map((one) => one?.sessionPosition)).toEqual(ids.map((_, index) => index + 1));
    });

    it("restores a deleted memory at its position", async () => {
      await importAll(message("a", 1), message("b", 2), message("c", 3));
      await subject.store.writer.delete(subject.scope, "b", { now: NOW });
      await importAll(message("b", 2));
      expect(await positions()).toEqual({ a: 1, b: 2, c: 3 });
    });

    it("has no position without a session", async () => {
      await importAll(item({ id: "a", sessionPosition: 5 }));
      expect(await positions()).toEqual({ a: 0 });
    });
  });

  describe("listOldest", () => {
    const walk = async (
      limit: number,
      maxBytes: number,
      options: {
        readonly filter?: MemoryFilter;
        readonly between?: (page: number) => Promise<unknown>;
      } = {},
    ): Promise<string[]> => {
      const ids: string[] = [];
      let after: ListPosition | undefined;
      // Bounded, so that a list without end fails here.
      for (let page = 0; page < ALL; page += 1) {
        const found = await subject.store.exporter.listOldest(subject.scope, {
          filter: options.filter ?? ANY_STATE,
          ...(after === undefined ? {} : { after }),
          limit,
          maxBytes,
          now: NOW,
        });
        expect(found.length).toBeLessThanOrEqual(limit);
        ids.push(...idsOf(found));
        after = found.at(-1);
        if (after === undefined) return ids;
        await options.between?.(page);
      }
      throw new Error("a list without end");
    };

    it.each([
      [1, UNBOUNDED],
      [7, UNBOUNDED],
      [30, UNBOUNDED],
      [ALL, 1],
      [ALL, 2000],
      [3, 900],
    ])("is the other list backwards, in pages of %d memories and %d bytes", async (limit, maxBytes) => {
      const random = seededRandom(5);
      await write(
        subject,
        ...Array.from({ length: 30 }, (_, index) =>
          newMemory({
            id: `m${index}`,
            text: `${index} ${"x".repeat(Math.floor(random() * 400))}`,
            createTime: NOW + Math.floor(random() * 8),
          }),
        ),
      );
      const newestFirst = await listAll(subject.store, subject.scope);
      expect(newestFirst).toHaveLength(30);
      expect(await walk(limit, maxBytes)).toEqual(idsOf(newestFirst).reverse());
    });

    it("ends a page before it takes more bytes than it may, and holds one at least", async () => {
      const text = "x".repeat(10_000);
      await write(subject, ...["a", "b", "c"].map((id) => newMemory({ id, text: `${id}${text}` })));
      const page = async (maxBytes: number): Promise<string[]> =>
        idsOf(
          await subject.store.exporter.listOldest(subject.scope, {
            filter: ANY_STATE,
            limit: ALL,
            maxBytes,
            now: NOW,
          }),
        );
      expect(await page(25_000)).toEqual(["a", "b"]);
      expect(await page(9_000)).toEqual(["a"]);
    });

    it("walks what passes the filter, and nothing that has expired", async () => {
      await write(
        subject,
        newMemory({ id: "a", userId: "u" }),
        newMemory({ id: "b" }),
        newMemory({ id: "c", userId: "u", state: "ARCHIVED" }),
        newMemory({ id: "d", userId: "u", expireTime: NOW }),
        newMemory({ id: "e", userId: "u" }),
      );
      expect(await walk(1, UNBOUNDED, { filter: { ...ANY_STATE, userId: "u" } })).toEqual(["a", "c", "e"]);
      expect(await walk(2, UNBOUNDED, { filter: { ...ACTIVE_ONLY, userId: "u" } })).toEqual(["a", "e"]);
    });

    it("neither repeats nor skips an older memory during writes and deletions", async () => {
      const old = ["b", "d", "f", "h"];
      await write(subject, ...old.map((id) => newMemory({ id })));
      const ids = await walk(1, UNBOUNDED, {
        between: async (page) => {
          await write(subject, newMemory({ id: `new${page}`, createTime: NOW - 1 - page }));
          if (page === 1) await subject.store.writer.delete(subject.scope, "d", { now: NOW });
        },
      });
      expect(ids).toEqual(old);
    });

    it("is empty for an unknown namespace", async () => {
      const options = { filter: ANY_STATE, limit: ALL, maxBytes: UNBOUNDED, now: NOW };
      expect(await subject.store.exporter.listOldest(freshNamespaceKey(), options)).toEqual([]);
    });
  });
}
