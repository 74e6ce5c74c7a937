import { expect, it } from "vitest";
import { MAX_TAGS, mergeDuplicate } from "../../../../src/domain/memory/duplicate.ts";
import { ACTIVE_ONLY } from "../../../../src/domain/memory/filter.ts";
import { etagOf, type Memory, type StoredMemory } from "../../../../src/domain/memory/memory.ts";
import type { NewMemory } from "../../../../src/ports/memory/writer.ts";
import { DAY, idempotentRequest, memory, NOW, newMemory } from "../../../support/builders.ts";
import { vectorOf } from "../../store-under-test.ts";
import {
  ANY_STATE,
  idsOf,
  type MemorySubject,
  memoryOf,
  outcomeText,
  search,
  storedIds,
  write,
} from "../support.ts";

/** How a duplicate changes the existing memory, and that it changes nothing else. */
export function duplicateCases(subject: MemorySubject): void {
  const END = NOW + 1000;
  const first = memory({ id: "first", text: "the same", tags: ["a"], expireTime: END });
  const again = (given: Partial<Memory> = {}): NewMemory =>
    newMemory({ id: "again", text: "the same", ...given }, { onDuplicate: "RETURN_EXISTING" });
  const get = async (id = "first", now = NOW): Promise<StoredMemory | undefined> =>
    (await subject.store.reader.get(subject.scope, [id], now))[0];

  it("sets the later expire time of both, adds tags, and reports the differences", async () => {
    await write(subject, newMemory(first));
    const duplicate = again({
      tags: ["b", "a", "c"],
      expireTime: END + 5,
      importance: 1,
      metadata: { x: 1 },
    });
    const expected = mergeDuplicate(first, duplicate.memory, NOW + 7);
    expect(expected.memory).toMatchObject({ tags: ["a", "b", "c"], expireTime: END + 5 });
    const outcomes = await subject.store.writer.create(subject.scope, [duplicate], { now: NOW + 7 });
    expect(outcomes).toEqual([
      { kind: "duplicate", memory: expected.memory, differs: ["metadata", "importance"] },
    ]);
    expect(await get()).toEqual(expected.memory);
    expect(expected.memory).toMatchObject({ updateTime: NOW + 7, etag: etagOf(expected.memory) });
  });

  it("changes nothing where it asks for nothing new", async () => {
    await write(subject, newMemory(first));
    const outcomes = await subject.store.writer.create(
      subject.scope,
      [again({ tags: ["a"], expireTime: END - 1, pinned: true })],
      { now: NOW + 7 },
    );
    expect(outcomes).toEqual([{ kind: "duplicate", memory: first, differs: ["pinned", "expire_time"] }]);
    expect(await get()).toEqual(first);
  });

  it("keeps a memory that would have expired, in every read and under every filter", async () => {
    const vector = vectorOf(1);
    await write(subject, newMemory(first, { vector }));
    // Read once, so that the cache must be updated.
    await search(subject, { vector, filter: ACTIVE_ONLY });
    const [outcome] = await write(subject, again({ tags: ["new"] }));
    expect(memoryOf(outcome).expireTime).toBeUndefined();
    for (const filter of [ACTIVE_ONLY, { ...ACTIVE_ONLY, tagsAll: ["a", "new"] }]) {
      const found = await search(subject, { vector, terms: ["same"], filter }, END + DAY);
      expect([idsOf(found.byVector), idsOf(found.byKeyword)]).toEqual([["first"], ["first"]]);
      expect(await subject.store.reader.count(subject.scope, filter, END + DAY)).toBe(1);
      const listed = await subject.store.reader.list(subject.scope, { filter, limit: 9, now: END + DAY });
      expect(idsOf(listed)).toEqual(["first"]);
    }
    expect((await subject.store.search.vectors(subject.scope, ["first"]))[0]).toEqual(vector);
    // A write sweeps what has expired.
    await subject.store.writer.create(subject.scope, [newMemory({ id: "later" })], { now: END + DAY });
    expect(await storedIds(subject, END + DAY)).toEqual(["first", "later"]);
  });

  it("moves an existing expire time to a later one", async () => {
    const vector = vectorOf(1);
    await write(subject, newMemory(first, { vector }));
    await search(subject, { vector, filter: ACTIVE_ONLY });
    await write(subject, again({ expireTime: END + 10 }));
    const nearest = async (now: number): Promise<string[]> =>
      idsOf((await search(subject, { vector, filter: ACTIVE_ONLY }, now)).byVector);
    expect([await nearest(END), await nearest(END + 10)]).toEqual([["first"], []]);
    expect([await storedIds(subject, END), await storedIds(subject, END + 10)]).toEqual([["first"], []]);
  });

  it("keeps session position, access statistics and the statistics of the corpus", async () => {
    const session = { sessionId: "s" };
    await write(subject, newMemory({ ...first, ...session }), newMemory({ id: "second", ...session }));
    subject.store.accessCounts.add(subject.scope, ["first", "first"], NOW);
    const before = await search(subject, { terms: ["same"] });
    const [outcome] = await write(subject, again({ ...session, tags: ["new"] }));
    const access = { accessCount: 2, lastAccessTime: NOW };
    expect(memoryOf(outcome)).toMatchObject({ sessionPosition: 1, access });
    expect(await get()).toMatchObject({ sessionPosition: 1, access, tags: ["a", "new"] });
    const after = await search(subject, { terms: ["same"] });
    expect(after.corpus).toEqual(before.corpus);
    expect(after.byKeyword).toEqual(before.byKeyword);
    const [next] = await write(subject, newMemory({ id: "third", ...session }));
    expect(memoryOf(next).sessionPosition).toBe(3);
  });

  it("adds tags as long as there is room, and names them beyond", async () => {
    const full = Array.from({ length: MAX_TAGS - 1 }, (_, index) => `t${index}`);
    await write(subject, newMemory({ ...first, tags: full }));
    const [outcome] = await write(subject, again({ tags: ["x", "y"], expireTime: END }));
    expect(outcome).toMatchObject({ kind: "duplicate", differs: ["tags"] });
    expect((await get())?.tags).toEqual([...full, "x"]);
    const tagged = (tag: string) =>
      subject.store.reader.count(subject.scope, { ...ANY_STATE, tagsAny: [tag] }, NOW);
    expect([await tagged("x"), await tagged("y"), await tagged("t0")]).toEqual([1, 0, 1]);
  });

  it("is not changed with REFUSE or ALLOW", async () => {
    await write(subject, newMemory(first));
    for (const onDuplicate of ["REFUSE", "ALLOW"] as const) {
      await write(subject, { ...again({ tags: ["new"] }), onDuplicate });
      expect(await get()).toEqual(first);
    }
  });

  it("changes the oldest of several alone", async () => {
    await write(
      subject,
      newMemory({ ...first, id: "younger", createTime: NOW + 1 }, { onDuplicate: "ALLOW" }),
      newMemory(first, { onDuplicate: "ALLOW" }),
    );
    expect((await write(subject, again({ tags: ["new"] }))).map(outcomeText)).toEqual(["duplicate first"]);
    expect([(await get())?.tags, (await get("younger"))?.tags]).toEqual([["a", "new"], ["a"]]);
  });

  it("can be corrected and deleted by its new etag alone", async () => {
    await write(subject, newMemory(first));
    const [outcome] = await write(subject, again({ tags: ["new"] }));
    const { etag } = memoryOf(outcome);
    const deletion = (expected: string) =>
      subject.store.writer.delete(subject.scope, "first", { etag: expected, now: NOW });
    await expect(deletion(first.etag)).rejects.toMatchObject({ reason: "ETAG_MISMATCH" });
    await deletion(etag);
    expect(await storedIds(subject)).toEqual([]);
  });

  it("is handled within a batch as if its items came one after the other", async () => {
    await write(subject, newMemory(first));
    const other = (id: string, tags: readonly string[], expireTime: number) =>
      newMemory({ id, text: "another", sessionId: "s", tags, expireTime });
    const items = [
      again({ tags: ["b"], expireTime: END }),
      other("o1", ["x"], END),
      again({ id: "a2", tags: ["c"], expireTime: END + 1 }),
      other("o2", ["y"], END + 2),
      newMemory({ id: "first", text: "taken" }),
      newMemory({ id: "o1", text: "taken too" }),
      other("o3", ["x", "y"], END),
    ];
    const outcomes = await write(subject, ...items);
    expect(outcomes.map(outcomeText)).toEqual([
      "duplicate first",
      "created o1",
      "duplicate first",
      "duplicate o1",
      "refused MEMORY_ALREADY_EXISTS",
      "refused MEMORY_ALREADY_EXISTS",
      "duplicate o1",
    ]);
    const answered = outcomes.map((one) => (one.kind === "refused" ? [] : one.memory.tags));
    expect(answered).toEqual([["a", "b"], ["x"], ["a", "b", "c"], ["x", "y"], [], [], ["x", "y"]]);
    expect(await get()).toMatchObject({ tags: ["a", "b", "c"], expireTime: END + 1 });
    expect(await get()).toEqual(memoryOf(outcomes[2]));
    expect(await get("o1")).toMatchObject({ tags: ["x", "y"], expireTime: END + 2, sessionPosition: 1 });
    expect(await get("o1")).toEqual(memoryOf(outcomes[6]));
    expect(outcomes[6]).toMatchObject({ differs: ["expire_time"] });
  });

  it("replays the response of a retried request, and is changed once", async () => {
    await write(subject, newMemory(first));
    const request = idempotentRequest();
    const items = [again({ tags: ["b"], importance: 1 }), newMemory({ id: "new" })];
    const once = await subject.store.writer.create(subject.scope, items, { now: NOW + 1, request });
    expect(once.map(outcomeText)).toEqual(["duplicate first", "created new"]);
    const replayed = await subject.store.writer.create(subject.scope, items, { now: NOW + 2, request });
    expect(replayed).toEqual(once);
    expect(await get()).toEqual(memoryOf(once[0]));
    // Also when the memory was corrected since: `differs` is of then, the memory of now.
    const current = memoryOf(once[0]);
    const corrected = { ...current, importance: 1, updateTime: NOW + 3 };
    await subject.store.writer.replace(
      subject.scope,
      current.etag,
      newMemory({ ...corrected, etag: etagOf(corrected) }),
      { now: NOW + 3 },
    );
    const late = await subject.store.writer.create(subject.scope, items, { now: NOW + 4, request });
    expect(late[0]).toMatchObject({ differs: ["importance"], memory: { importance: 1, tags: ["a", "b"] } });
  });

  it("loses no tag of many concurrent duplicates", async () => {
    await write(subject, newMemory(first));
    const tags = Array.from({ length: 20 }, (_, index) => `t${index}`);
    const outcomes = await Promise.all(tags.map((tag) => write(subject, again({ id: tag, tags: [tag] }))));
    expect(outcomes.flat().map(outcomeText)).toEqual(tags.map(() => "duplicate first"));
    expect([...((await get())?.tags ?? [])].sort()).toEqual(["a", ...tags].sort());
    expect(await storedIds(subject)).toEqual(["first"]);
  });

  it("is still what it became after a restart", async () => {
    await write(subject, newMemory(first, { vector: vectorOf(1) }));
    const [outcome] = await write(subject, again({ tags: ["new"] }));
    await subject.reopen();
    expect(await get()).toEqual(memoryOf(outcome));
    const found = await search(subject, { vector: vectorOf(1), filter: ACTIVE_ONLY }, END);
    expect(idsOf(found.byVector)).toEqual(["first"]);
    expect((await write(subject, again({ tags: ["new"] }))).map(outcomeText)).toEqual(["duplicate first"]);
  });
}
