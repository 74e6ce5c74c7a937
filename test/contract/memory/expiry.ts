import { expect, it } from "vitest";
import { ACTIVE_ONLY } from "../../../src/domain/memory/filter.ts";
import { memory, NOW, newMemory } from "../../support/builders.ts";
import { reasonOf, vectorOf } from "../store-under-test.ts";
import { idsOf, type MemorySubject, outcomeText, search, storedIds, write } from "./support.ts";

/** A memory is expired from the moment of its expire time on: no read sees it, and its id and text are free. */
export function expiryCases(subject: MemorySubject): void {
  const END = NOW + 1000;
  const vector = vectorOf(1);
  /** What each read method returns of the memory `ends` at a time. */
  const seenAt = async (now: number): Promise<Record<string, string[]>> => {
    const byDefault = await search(subject, { vector, terms: ["fact"], filter: ACTIVE_ONLY }, now);
    const filtered = await search(
      subject,
      { vector, terms: ["fact"], filter: { ...ACTIVE_ONLY, pinned: false } },
      now,
    );
    const got = await subject.store.reader.get(subject.scope, ["ends", "stays"], now);
    return {
      get: got.flatMap((one) => (one === undefined ? [] : [one.id])),
      list: await storedIds(subject, now),
      nearest: idsOf(byDefault.byVector).sort(),
      containing: idsOf(byDefault.byKeyword).sort(),
      "nearest under a filter": idsOf(filtered.byVector).sort(),
      "containing under a filter": idsOf(filtered.byKeyword).sort(),
    };
  };
  const inEveryRead = (...ids: string[]) => ({
    get: ids,
    list: ids,
    nearest: ids,
    containing: ids,
    "nearest under a filter": ids,
    "containing under a filter": ids,
  });

  it("hides a memory in every read from its expire time on, not before", async () => {
    await write(
      subject,
      newMemory({ id: "ends", expireTime: END }, { vector }),
      newMemory({ id: "stays" }, { vector }),
    );
    expect(await seenAt(END - 1)).toEqual(inEveryRead("ends", "stays"));
    expect(await seenAt(END)).toEqual(inEveryRead("stays"));
    expect(await seenAt(END + 1)).toEqual(inEveryRead("stays"));
  });

  it("leaves room for others in a page and among the nearest", async () => {
    const ending = Array.from({ length: 50 }, (_, index) => `e${index}`);
    await write(
      subject,
      newMemory({ id: "stays", createTime: NOW - 1 }, { vector: vector.map((value) => -value) }),
      ...ending.map((id) => newMemory({ id, expireTime: END }, { vector })),
    );
    const listed = await subject.store.reader.list(subject.scope, {
      filter: ACTIVE_ONLY,
      limit: 1,
      now: END,
    });
    expect(idsOf(listed)).toEqual(["stays"]);
    const query = { vector, terms: ["fact", "stay"], limit: 1 };
    const found = await search(subject, { ...query, filter: ACTIVE_ONLY }, END);
    expect([idsOf(found.byVector), idsOf(found.byKeyword)]).toEqual([["stays"], ["stays"]]);
    const filtered = await search(subject, { ...query, filter: { ...ACTIVE_ONLY, pinned: false } }, END);
    expect([idsOf(filtered.byVector), idsOf(filtered.byKeyword)]).toEqual([["stays"], ["stays"]]);
  });

  it("leaves nothing to delete from its expire time on", async () => {
    const one = memory({ expireTime: END });
    await write(subject, newMemory(one));
    const deletion = subject.store.writer.delete(subject.scope, "m1", { etag: one.etag, now: END });
    expect(await reasonOf(deletion)).toBe("MEMORY_NOT_FOUND");
  });

  it("can be deleted before", async () => {
    await write(subject, newMemory({ expireTime: END }));
    await subject.store.writer.delete(subject.scope, "m1", { now: END - 1 });
    expect(await storedIds(subject, END - 1)).toEqual([]);
  });

  it("keeps id and text until its expire time, and frees them from then on", async () => {
    await write(subject, newMemory({ id: "a", text: "the same", expireTime: END }));
    const again = (now: number) =>
      subject.store.writer.create(
        subject.scope,
        [
          newMemory({ id: "a", text: "another" }, { onDuplicate: "REFUSE" }),
          newMemory({ id: "b", text: "the same" }, { onDuplicate: "REFUSE" }),
        ],
        { now },
      );
    expect((await again(END - 1)).map(outcomeText)).toEqual([
      "refused MEMORY_ALREADY_EXISTS",
      "refused MEMORY_DUPLICATE",
    ]);
    expect((await again(END)).map(outcomeText)).toEqual(["created a", "created b"]);
    expect(await storedIds(subject, END)).toEqual(["a", "b"]);
  });

  it("may be of the same text as the memory that takes its id", async () => {
    await write(subject, newMemory({ id: "a", text: "the same", expireTime: END }));
    const outcomes = await subject.store.writer.create(
      subject.scope,
      [newMemory({ id: "a", text: "the same" }, { onDuplicate: "RETURN_EXISTING" })],
      { now: END },
    );
    expect(outcomes.map(outcomeText)).toEqual(["created a"]);
  });

  it("frees its text, however many expire at once", async () => {
    const texts = Array.from({ length: 100 }, (_, index) => `text ${index}`);
    const items = (prefix: string, expireTime: number) =>
      texts.map((text, index) =>
        newMemory({ id: `${prefix}${index}`, text, expireTime }, { onDuplicate: "REFUSE" }),
      );
    await write(subject, ...items("old", END));
    const outcomes = await subject.store.writer.create(subject.scope, items("new", END + 1).reverse(), {
      now: END,
    });
    expect(outcomes.filter(({ kind }) => kind === "created")).toHaveLength(100);
    expect(await storedIds(subject, END)).toEqual(texts.map((_, index) => `new${index}`).sort());
  });

  it("leaves nothing behind in a memory that takes the id, however many expire at once", async () => {
    const ids = Array.from({ length: 100 }, (_, index) => `m${index}`);
    await write(
      subject,
      ...ids.map((id) => newMemory({ id, text: `old ${id}`, tags: ["old"], expireTime: END }, { vector })),
    );
    expect(idsOf((await search(subject, { vector })).byVector)).toHaveLength(100);

    const again = [...ids].reverse().map((id) => newMemory({ id, text: `new ${id}`, createTime: END }));
    const outcomes = await subject.store.writer.create(subject.scope, again, { now: END });
    expect(outcomes.filter(({ kind }) => kind === "created")).toHaveLength(100);

    expect(await storedIds(subject, END)).toEqual(ids.toSorted());
    expect(
      (await subject.store.search.vectors(subject.scope, ids)).filter((one) => one !== undefined),
    ).toEqual([]);
    for (const filter of [
      ACTIVE_ONLY,
      { ...ACTIVE_ONLY, pinned: false },
      { ...ACTIVE_ONLY, tagsAny: ["old"] },
    ]) {
      const found = await search(subject, { vector, terms: ["old"], filter }, END);
      expect([idsOf(found.byVector), idsOf(found.byKeyword)]).toEqual([[], []]);
    }
  });

  it("leaves nothing behind in single writes either", async () => {
    const ids = Array.from({ length: 80 }, (_, index) => `m${index}`);
    await write(
      subject,
      ...ids.map((id) => newMemory({ id, text: `old ${id}`, expireTime: END }, { vector })),
    );
    expect(idsOf((await search(subject, { vector })).byVector)).toHaveLength(80);
    for (const id of [...ids].reverse()) {
      await subject.store.writer.create(subject.scope, [newMemory({ id, text: `new ${id}` })], { now: END });
      const found = await search(subject, { vector, filter: { ...ACTIVE_ONLY, pinned: false } }, END);
      expect(idsOf(found.byVector)).toEqual([]);
    }
  });

  it("leaves nothing behind in an item of the same batch", async () => {
    await search(subject, { vector });
    const outcomes = await write(
      subject,
      newMemory({ text: "old", sessionId: "s", expireTime: NOW }, { vector }),
      newMemory({ text: "new", sessionId: "s" }),
    );
    expect(outcomes.map(outcomeText)).toEqual(["created m1", "created m1"]);
    for (const filter of [ACTIVE_ONLY, { ...ACTIVE_ONLY, pinned: false }]) {
      const found = await search(subject, { vector, terms: ["old", "new"], filter });
      expect([idsOf(found.byVector), idsOf(found.byKeyword)]).toEqual([[], ["m1"]]);
      expect(found.corpus.documentCount).toBe(1);
    }
  });

  it("may be in the past at the import", async () => {
    const outcomes = await write(subject, newMemory({ expireTime: NOW - 1 }, { vector }));
    expect(outcomes.map(outcomeText)).toEqual(["created m1"]);
    expect(await storedIds(subject)).toEqual([]);
    expect(idsOf((await search(subject, { vector })).byVector)).toEqual([]);
  });
}
