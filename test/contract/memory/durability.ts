import { expect, it } from "vitest";
import { ACTIVE_ONLY } from "../../../src/domain/memory/filter.ts";
import { idempotentRequest, NOW, newMemory } from "../../support/builders.ts";
import { nearestByScan, reasonOf, vectorOf } from "../store-under-test.ts";
import {
  idsOf,
  listAll,
  type MemorySubject,
  memoryOf,
  outcomeText,
  search,
  storedIds,
  write,
} from "./support.ts";

/** Acknowledged writes survive a restart. */
export function durabilityCases(subject: MemorySubject): void {
  const vectors = new Map(Array.from({ length: 20 }, (_, index) => [`m${index}`, vectorOf(index)] as const));

  it("keeps memories, with all that finds them", async () => {
    await write(
      subject,
      ...[...vectors].map(([id, vector], index) =>
        newMemory(
          { id, tags: [`t${index % 2}`], metadata: { n: index }, pinned: index < 5, text: `tea 茶 ${id}` },
          { vector },
        ),
      ),
      newMemory({ id: "plain", text: "tea without vector", state: "ARCHIVED" }),
    );
    const query = { vector: vectorOf(1001), terms: ["tea", "茶", "m3"] };
    const filter = { ...ACTIVE_ONLY, tagsAny: ["t1"], pinned: true };
    const reads = async () => ({
      list: await listAll(subject.store, subject.scope),
      get: await subject.store.reader.get(subject.scope, ["m3", "none", "plain"], NOW),
      vectors: await subject.store.search.vectors(subject.scope, ["m3", "plain"]),
      search: await search(subject, query),
      filtered: await search(subject, { ...query, filter }),
      filteredList: idsOf(await subject.store.reader.list(subject.scope, { filter, limit: 10, now: NOW })),
    });
    const before = await reads();
    await subject.reopen();
    const after = await reads();
    expect(after).toEqual(before);
    expect(after.list).toHaveLength(21);
    expect(idsOf(after.search.byVector)).toEqual(idsOf(nearestByScan(query.vector, vectors, 50)));
    expect(after.search.byKeyword).toHaveLength(21);
    expect(after.search.corpus.documentCount).toBe(21);
    expect(after.filteredList).toEqual(["m3", "m1"]);
  });

  it("keeps each write that has resolved when it is closed at once", async () => {
    await Promise.all(
      Array.from({ length: 10 }, (_, index) => write(subject, newMemory({ id: `m${index}` }))),
    );
    await subject.store.writer.delete(subject.scope, "m0", { now: NOW });
    await subject.reopen();
    expect(await storedIds(subject)).toEqual(Array.from({ length: 9 }, (_, index) => `m${index + 1}`));
  });

  it("keeps deletions", async () => {
    await write(subject, ...[...vectors].map(([id, vector]) => newMemory({ id }, { vector })));
    for (const id of ["m0", "m7", "m19"]) await subject.store.writer.delete(subject.scope, id, { now: NOW });
    await subject.reopen();
    const found = await search(subject, { vector: vectorOf(7), terms: ["fact"] });
    const left = [...vectors.keys()].filter((id) => !["m0", "m7", "m19"].includes(id)).sort();
    expect([idsOf(found.byVector).sort(), idsOf(found.byKeyword).sort()]).toEqual([left, left]);
    expect(found.corpus.documentCount).toBe(17);
  });

  it("continues session positions", async () => {
    await write(subject, newMemory({ id: "a", sessionId: "s" }), newMemory({ id: "b", sessionId: "s" }));
    await subject.store.writer.delete(subject.scope, "b", { now: NOW });
    await subject.reopen();
    const [next] = await write(subject, newMemory({ id: "c", sessionId: "s" }));
    expect(memoryOf(next).sessionPosition).toBe(3);
  });

  it("keeps ids and duplicates", async () => {
    await write(subject, newMemory({ id: "a", text: "the same" }));
    await subject.reopen();
    const outcomes = await write(
      subject,
      newMemory({ id: "a", text: "another" }),
      newMemory({ id: "b", text: "the same" }, { onDuplicate: "REFUSE" }),
    );
    expect(outcomes.map(outcomeText)).toEqual(["refused MEMORY_ALREADY_EXISTS", "refused MEMORY_DUPLICATE"]);
  });

  it("keeps idempotency records", async () => {
    const { scope } = subject;
    const [creation, deletion] = [idempotentRequest(), idempotentRequest({ key: "deletion" })];
    const create = (id: string) =>
      subject.store.writer.create(scope, [newMemory({ id })], { now: NOW, request: creation });
    const first = await create("a");
    await write(subject, newMemory({ id: "b" }));
    await subject.store.writer.delete(scope, "b", { now: NOW, request: deletion });
    await subject.reopen();
    expect(await create("c")).toEqual(first);
    expect(
      await reasonOf(subject.store.writer.delete(scope, "b", { now: NOW, request: deletion })),
    ).toBeUndefined();
    expect(await storedIds(subject)).toEqual(["a"]);
  });

  it("takes writes and searches after several restarts", async () => {
    for (const round of [0, 1, 2]) {
      await write(subject, newMemory({ id: `m${round}` }, { vector: vectorOf(round) }));
      await subject.reopen();
    }
    const found = await search(subject, { vector: vectorOf(2), terms: ["fact"] });
    expect(found.byVector[0]?.id).toBe("m2");
    expect([found.byVector.length, found.byKeyword.length]).toEqual([3, 3]);
  });
}
