import { describe, expect, it } from "vitest";
import { entryBytes } from "../../../src/domain/cache/entry.ts";
import { cacheEntry, NOW, seededRandom } from "../../support/builders.ts";
import { lookAlikeNamespaceKeys, ODD_TEXTS, vectorOf } from "../store-under-test.ts";
import { ALL, BOUND, type CacheSubject, list, listedIds, put } from "./support.ts";

/** The contract of CacheStore.list. */
export function listCases(subject: CacheSubject): void {
  describe("a list", () => {
    it("is empty where nothing was written", async () => {
      expect(await list(subject)).toEqual({ entries: [], more: false });
    });

    it("returns complete entries, with and without vector", async () => {
      const entry = cacheEntry({ tags: ["a"], metadata: { a: [1] } });
      const plain = cacheEntry({ id: "e2", createTime: NOW - 1 });
      await put(subject, entry, { vector: vectorOf(1) });
      await put(subject, plain);
      expect(await list(subject)).toStrictEqual({ entries: [entry, plain], more: false });
    });

    it("is ordered by create time, then by id, newest first", async () => {
      for (const [id, createTime] of [
        ["b", NOW],
        ["z", NOW - 2],
        ["c", NOW],
        ["a", NOW + 1],
        ["y", NOW - 2],
      ] as const) {
        await put(subject, cacheEntry({ id, createTime }));
      }
      expect(await listedIds(subject)).toEqual(["a", "c", "b", "z", "y"]);
    });

    it.each([1, 2, 3, 7, 30, 31])("gives each entry once in pages of %d", async (limit) => {
      const random = seededRandom(11);
      await Promise.all(
        Array.from({ length: 30 }, (_, index) =>
          put(subject, cacheEntry({ id: `e${index}`, createTime: NOW + Math.floor(random() * 8) })),
        ),
      );
      const whole = await listedIds(subject);
      expect(whole).toHaveLength(30);
      expect(await walk(subject, limit)).toEqual(whole);
    });

    it("reports whether there are entries after the page", async () => {
      await Promise.all(["a", "b", "c"].map((id) => put(subject, cacheEntry({ id }))));
      expect(await list(subject, { limit: 2 })).toMatchObject({ more: true });
      expect(await list(subject, { limit: 3 })).toMatchObject({ more: false });
      expect(await list(subject, { after: { createTime: NOW, id: "a" } })).toEqual({
        entries: [],
        more: false,
      });
    });

    it("ends a page before the entry that would make it too large, and gives one at least", async () => {
      const entries = ["e", "d", "c", "b", "a"].map((id) =>
        cacheEntry({ id, response: "é".repeat(id === "c" ? 5000 : 500) }),
      );
      await Promise.all(entries.map((entry) => put(subject, entry)));
      const [first, second] = entries.map((entry) => entryBytes(entry, 0));
      const two = (first ?? 0) + (second ?? 0);
      expect(await listedIds(subject, { maxBytes: two })).toEqual(["e", "d"]);
      expect(await list(subject, { maxBytes: two - 1 })).toMatchObject({
        entries: [{ id: "e" }],
        more: true,
      });
      expect(await listedIds(subject, { maxBytes: 1 })).toEqual(["e"]);
      expect(await walk(subject, ALL, { maxBytes: two })).toEqual(["e", "d", "c", "b", "a"]);
    });

    it("leaves out what has expired, from its expire time on", async () => {
      const end = NOW + 1000;
      await put(subject, cacheEntry({ id: "ends", expireTime: end }));
      await put(subject, cacheEntry({ id: "stays" }));
      expect(await listedIds(subject, { now: end - 1 })).toEqual(["stays", "ends"]);
      expect(await list(subject, { now: end, limit: 1 })).toMatchObject({
        entries: [{ id: "stays" }],
        more: false,
      });
    });

    it("keeps to a model, and to any of the tags", async () => {
      await put(subject, cacheEntry({ id: "a", model: "m1", tags: ["x", "y"] }));
      await put(subject, cacheEntry({ id: "b", model: "m2", tags: ["y"] }));
      await put(subject, cacheEntry({ id: "c", model: "M1" }));
      expect(await listedIds(subject, { model: "m1" })).toEqual(["a"]);
      expect(await listedIds(subject, { model: "m" })).toEqual([]);
      expect(await listedIds(subject, { tagsAny: ["x", "z"] })).toEqual(["a"]);
      expect(await listedIds(subject, { tagsAny: ["y", "x"] })).toEqual(["b", "a"]);
      expect(await listedIds(subject, { model: "m2", tagsAny: ["x"] })).toEqual([]);
      expect(await walk(subject, 1, { tagsAny: ["x", "y"] })).toEqual(["b", "a"]);
    });

    it.each(ODD_TEXTS)("finds odd models and tags: %s", async (_name, text) => {
      await put(subject, cacheEntry({ id: "odd", model: text, tags: [text] }));
      await put(subject, cacheEntry({ id: "plain" }));
      expect(await listedIds(subject, { model: text, tagsAny: [text] })).toEqual(["odd"]);
    });

    it("finds an entry by its new model and tags after a replacement", async () => {
      await put(subject, cacheEntry({ model: "old", tags: ["old", "both"] }));
      await put(subject, cacheEntry({ model: "new", tags: ["new", "both"] }));
      expect(await listedIds(subject, { model: "old" })).toEqual([]);
      expect(await listedIds(subject, { tagsAny: ["old"] })).toEqual([]);
      expect(await listedIds(subject, { model: "new", tagsAny: ["new"] })).toEqual(["e1"]);
      expect(await listedIds(subject, { tagsAny: ["both"] })).toEqual(["e1"]);
    });

    it("does not repeat an entry that is replaced between pages, and continues after a deleted one", async () => {
      const ids = ["f", "e", "d", "c", "b", "a"];
      await Promise.all(ids.map((id) => put(subject, cacheEntry({ id }))));
      const foundIds = await walk(subject, 2, {}, async (page) => {
        if (page === 0) await put(subject, cacheEntry({ id: "f", createTime: NOW + 1 }));
        if (page === 0) await put(subject, cacheEntry({ id: "new", createTime: NOW + 1 }));
        if (page === 0) await subject.store.delete(subject.scope, "e", { now: NOW });
        if (page === 1) await put(subject, cacheEntry({ id: "b", createTime: NOW + 2 }));
      });
      expect(foundIds).toEqual(["f", "e", "d", "c", "a"]);
      expect(await listedIds(subject)).toEqual(["b", "new", "f", "d", "c", "a"]);
    });

    it("is of one scope alone", async () => {
      const { store } = subject;
      const scopes = lookAlikeNamespaceKeys();
      for (const [index, scope] of scopes.entries()) {
        await store.put(scope, cacheEntry({ response: `of ${index}`, tags: ["t"] }), {
          ...BOUND,
          now: NOW,
        });
      }
      for (const [index, scope] of scopes.entries()) {
        const query = { limit: ALL, maxBytes: ALL, now: NOW, model: "a-model", tagsAny: ["t"] };
        expect(await store.list(scope, query)).toMatchObject({
          entries: [{ response: `of ${index}` }],
          more: false,
        });
      }
    });

    it("is the same after a restart", async () => {
      await put(subject, cacheEntry({ id: "a", model: "m", tags: ["x"] }));
      await put(subject, cacheEntry({ id: "b" }));
      await subject.reopen();
      expect(await listedIds(subject)).toEqual(["b", "a"]);
      expect(await listedIds(subject, { model: "m", tagsAny: ["x"] })).toEqual(["a"]);
    });
  });
}

/** The ids of a list, page by page to the end; `between` runs after each page that is not the last. */
async function walk(
  subject: CacheSubject,
  limit: number,
  query: Parameters<typeof list>[1] = {},
  between?: (page: number) => Promise<unknown>,
): Promise<string[]> {
  const foundIds: string[] = [];
  let after: { readonly createTime: number; readonly id: string } | undefined;
  // Bounded, so that a list without end fails here.
  for (let page = 0; page < ALL; page += 1) {
    const { entries, more } = await list(subject, {
      ...query,
      limit,
      ...(after === undefined ? {} : { after }),
    });
    expect(entries.length).toBeLessThanOrEqual(limit);
    foundIds.push(...entries.map(({ id }) => id));
    const last = entries.at(-1);
    if (!more) return foundIds;
    if (last === undefined) throw new Error("an empty page that is not the last");
    after = { createTime: last.createTime, id: last.id };
    await between?.(page);
  }
  throw new Error("a list without end");
}
