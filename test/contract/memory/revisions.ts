import { expect, it } from "vitest";
import type { Memory, StoredMemory } from "../../../src/domain/memory/memory.ts";
import { type MemoryRevision, revisedMemory } from "../../../src/domain/memory/revision.ts";
import type { RevisionPage } from "../../../src/ports/memory/revisions.ts";
import type { CreateOutcome, NewMemory } from "../../../src/ports/memory/writer.ts";
import { DAY, idempotentRequest, NOW, newMemory, seededRandom } from "../../support/builders.ts";
import { freshNamespaceKey, MAX_REVISIONS, reasonOf, vectorOf } from "../store-under-test.ts";
import { ANY_STATE, type MemorySubject, search, withWords, write } from "./support.ts";

/** What memories were before their changes. */
export function revisionCases(subject: MemorySubject): void {
  const LATER = NOW + DAY;
  const whole = { limit: 1000, maxBytes: 1e9, now: NOW };
  const page = (
    id: string,
    options: Partial<Parameters<typeof subject.store.revisions.list>[2]> = {},
  ): Promise<RevisionPage | undefined> =>
    subject.store.revisions.list(subject.scope, id, { ...whole, ...options });
  const revisionsOf = async (id: string, now = NOW): Promise<readonly MemoryRevision[]> =>
    (await page(id, { now }))?.revisions ?? [];
  const numbersOf = async (id: string, now = NOW): Promise<number[]> =>
    (await revisionsOf(id, now)).map(({ number }) => number);
  const get = async (id: string, now = NOW): Promise<StoredMemory> => {
    const [memory] = await subject.store.reader.get(subject.scope, [id], now);
    if (memory === undefined) throw new Error(`no memory ${id}`);
    return memory;
  };
  /** Replaces a memory as a correction of its text does. */
  const correct = async (id: string, text: string, given: Partial<Memory> = {}): Promise<StoredMemory> => {
    const { access: _, etag, ...current } = await get(id);
    const { onDuplicate: __, ...replacement } = newMemory(
      { ...current, text, updateTime: current.updateTime + 1, ...given },
      { vector: vectorOf(text.length) },
    );
    return subject.store.writer.replace(subject.scope, etag, replacement, { now: NOW });
  };
  const supersede = (id: string, by: string): Promise<CreateOutcome[]> => {
    const item = newMemory({ id: by, supersedes: [id] }, { onDuplicate: "ALLOW" });
    return subject.store.writer.create(subject.scope, [item], { now: LATER });
  };
  const create = (item: NewMemory, now = NOW): Promise<CreateOutcome[]> =>
    subject.store.writer.create(subject.scope, [item], { now });

  it("is not kept, and none is left, when what is replaced holds something that is erased", async () => {
    await write(subject, newMemory({ id: "m", text: "first" }));
    await correct("m", "second");
    const { access: _, etag, ...current } = await get("m");
    const { onDuplicate: __, ...replacement } = newMemory({ ...current, text: "third", updateTime: NOW + 5 });
    const options = { now: NOW, forgets: true };
    await subject.store.writer.replace(subject.scope, etag, replacement, options);
    expect(await page("m")).toEqual({ revisions: [], more: false });
    await correct("m", "fourth");
    expect((await revisionsOf("m")).map(({ memory }) => memory.text)).toEqual(["third"]);
  });

  it("is kept of what a replacement replaces, complete, and newest first", async () => {
    const rich: Partial<Memory> = {
      ...{ id: "m", sessionId: "s", tags: ["a", "b"], metadata: { at: [1, { b: "ü" }] }, author: "Ana" },
      ...{ validFrom: NOW - DAY, expireTime: LATER, importance: 0.25, pinned: true, sourceIds: ["x"] },
    };
    await write(subject, newMemory(rich, { vector: vectorOf(1) }));
    expect(await page("m")).toEqual({ revisions: [], more: false });
    const first = await get("m");
    await correct("m", "second", { tags: [], pinned: false });
    const second = await get("m");
    await correct("m", "third");
    const third = await get("m");
    expect(await page("m")).toEqual({
      revisions: [
        { number: 2, replaceTime: third.updateTime, memory: revisedMemory(second) },
        { number: 1, replaceTime: second.updateTime, memory: revisedMemory(first) },
      ],
      more: false,
    });
    expect(third).toMatchObject({ text: "third", sessionPosition: 1 });
  });

  it("is kept of a memory that a duplicate or a successor changes, not of one that stays as it is", async () => {
    await write(subject, newMemory({ id: "m", text: "same" }));
    const duplicate = (tags: string[]): NewMemory =>
      newMemory({ id: "other", text: "same", tags }, { onDuplicate: "RETURN_EXISTING" });
    await create(duplicate([]));
    expect(await numbersOf("m")).toEqual([]);
    await create(duplicate(["tag"]));
    await supersede("m", "new");
    const [second, first] = await revisionsOf("m");
    expect(second).toMatchObject({
      number: 2,
      replaceTime: LATER,
      memory: { state: "ACTIVE", tags: ["tag"] },
    });
    expect(first).toMatchObject({ number: 1, replaceTime: NOW + 1, memory: { tags: [], text: "same" } });
    expect((await get("m")).state).toBe("SUPERSEDED");
    expect(await numbersOf("new")).toEqual([]);
  });

  it("is kept of every version within one batch", async () => {
    const [first, ...tags] = ["a", "b", "c"].map((tag) =>
      newMemory({ id: tag, text: "same", tags: [tag] }, { onDuplicate: "RETURN_EXISTING" }),
    );
    if (first === undefined) throw new Error("no items");
    await write(subject, first, ...tags);
    expect((await revisionsOf("a")).map(({ memory }) => memory.tags)).toEqual([["a", "b"], ["a"]]);
    expect((await get("a")).tags).toEqual(["a", "b", "c"]);
  });

  it("is dropped when there are more than the store keeps; numbers go on", async () => {
    await write(subject, newMemory({ id: "m" }));
    for (let time = 1; time <= MAX_REVISIONS + 2; time += 1) await correct("m", `text ${time}`);
    const kept = Array.from({ length: MAX_REVISIONS }, (_, at) => MAX_REVISIONS + 2 - at);
    expect(await numbersOf("m")).toEqual(kept);
    await subject.reopen();
    expect(await numbersOf("m")).toEqual(kept);
    await correct("m", "last");
    expect(await numbersOf("m")).toEqual(kept.map((number) => number + 1));
  });

  it("is listed page by page, within limits of number and bytes", async () => {
    await write(subject, newMemory({ id: "m" }));
    // Hardly shorter when it is compressed.
    const random = seededRandom(1);
    const long = Array.from({ length: 2000 }, () => String.fromCharCode(48 + Math.floor(64 * random()))).join(
      "",
    );
    for (let time = 1; time <= MAX_REVISIONS; time += 1) await correct("m", `${long} ${time}`);
    const numbers = async (options: Parameters<typeof page>[1]): Promise<readonly [number[], boolean]> => {
      const { revisions = [], more = false } = (await page("m", options)) ?? {};
      return [revisions.map(({ number }) => number), more];
    };
    expect(await numbers({})).toEqual([[3, 2, 1], false]);
    expect(await numbers({ limit: 2 })).toEqual([[3, 2], true]);
    expect(await numbers({ limit: 2, before: 2 })).toEqual([[1], false]);
    expect(await numbers({ limit: 3 })).toEqual([[3, 2, 1], false]);
    expect(await numbers({ before: 1 })).toEqual([[], false]);
    expect(await numbers({ before: 100 })).toEqual([[3, 2, 1], false]);
    expect(await numbers({ maxBytes: 0 })).toEqual([[3], true]);
    expect(await numbers({ maxBytes: 3000 })).toEqual([[3], true]);
    expect(await numbers({ maxBytes: 6000, before: 4 })).toEqual([[3, 2, 1], false]);
  });

  it("is missing of a memory that does not exist, has expired, or is of another scope", async () => {
    await write(subject, newMemory({ id: "m", expireTime: LATER }));
    await correct("m", "other");
    expect(await page("none")).toBeUndefined();
    expect(await page("m", { now: LATER })).toBeUndefined();
    expect(await subject.store.revisions.list(freshNamespaceKey(), "m", whole)).toBeUndefined();
    const beside = { ...subject.scope, namespace: "another" };
    await subject.store.writer.create(beside, [newMemory({ id: "m" })], { now: NOW });
    expect(await subject.store.revisions.list(beside, "m", whole)).toEqual({ revisions: [], more: false });
    expect(await numbersOf("m")).toEqual([1]);
  });

  const deletions: readonly (readonly [string, () => Promise<unknown>])[] = [
    ["deleted", () => subject.store.writer.delete(subject.scope, "m", { now: NOW })],
    ["purged", () => subject.store.purge.run(subject.scope, { ...ANY_STATE, author: "Ana" }, { now: NOW })],
    ["overwritten after it has expired", () => Promise.resolve()],
  ];
  it.each(deletions)("is deleted with its memory when that is %s", async (_, remove) => {
    await write(
      subject,
      newMemory({ id: "m", author: "Ana", expireTime: LATER }),
      newMemory({ id: "other" }),
    );
    await correct("m", "changed");
    await correct("other", "changed too");
    await remove();
    await create(newMemory({ id: "m" }), LATER);
    expect(await page("m", { now: LATER })).toEqual({ revisions: [], more: false });
    const { onDuplicate: _onDuplicate, ...next } = newMemory({
      id: "m",
      text: "next",
      updateTime: LATER + 1,
    });
    await subject.store.writer.replace(subject.scope, newMemory({ id: "m" }).memory.etag, next, {
      now: LATER,
    });
    expect(await numbersOf("m", LATER)).toEqual([1]);
    expect(await numbersOf("other", LATER)).toEqual([1]);
  });

  it("does not come back by an import of an expired id", async () => {
    await write(subject, newMemory({ id: "m", expireTime: LATER }));
    await correct("m", "changed");
    const { onDuplicate: _, ...item } = newMemory({ id: "m" });
    await subject.store.importer.import(subject.scope, [item], { now: LATER });
    expect(await page("m", { now: LATER })).toEqual({ revisions: [], more: false });
  });

  it("is kept by writes that succeed only, and once for a request that is repeated", async () => {
    await write(subject, newMemory({ id: "m" }));
    const { onDuplicate: _, ...replacement } = newMemory({ id: "m", text: "changed", updateTime: NOW + 1 });
    const replace = (etag: string) =>
      subject.store.writer.replace(subject.scope, etag, replacement, {
        now: NOW,
        request: idempotentRequest(),
      });
    expect(await reasonOf(replace("not this"))).toBe("ETAG_MISMATCH");
    expect(await numbersOf("m")).toEqual([]);
    const { etag } = await get("m");
    for (let time = 0; time < 10; time += 1) await replace(etag);
    expect(await numbersOf("m")).toEqual([1]);
  });

  it("has one number for each of many concurrent duplicates", async () => {
    await write(subject, newMemory({ id: "m", text: "same" }));
    await Promise.all(
      Array.from({ length: 8 }, (_, at) =>
        create(
          newMemory({ id: `d${at}`, text: "same", tags: [`t${at}`] }, { onDuplicate: "RETURN_EXISTING" }),
        ),
      ),
    );
    expect(await numbersOf("m")).toEqual([8, 7, 6]);
  });

  it("changes what is active, found and a duplicate, when it makes a superseded memory active again", async () => {
    await write(subject, withWords("m", "lives in paris", 1, { sessionId: "" }));
    await supersede("m", "new");
    const { access: _, etag, embedding: __, ...past } = await get("m", LATER);
    const { onDuplicate: ___, ...active } = newMemory(
      { ...past, state: "ACTIVE", supersededBy: "", updateTime: LATER + 1 },
      { terms: ["lives", "in", "paris"], vector: vectorOf(1) },
    );
    await subject.store.writer.replace(subject.scope, etag, active, { now: LATER });
    const query = { terms: ["paris"], vector: vectorOf(1), filter: { states: ["ACTIVE" as const] } };
    const found = await search(subject, query, LATER);
    expect(found.byKeyword.map(({ id }) => id)).toEqual(["m"]);
    expect(found.byVector[0]?.id).toBe("m");
    const again = newMemory({ id: "again", text: "lives in paris" }, { onDuplicate: "RETURN_EXISTING" });
    expect((await create(again, LATER))[0]).toMatchObject({ kind: "duplicate", memory: { id: "m" } });
    expect(await numbersOf("m", LATER)).toEqual([2, 1]);
  });
}
