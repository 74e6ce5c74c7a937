import { expect, it } from "vitest";
import { memory, NOW, newMemory } from "../../../support/builders.ts";
import { reasonOf, vectorOf } from "../../store-under-test.ts";
import { ANY_STATE, idsOf, type MemorySubject, search, storedIds, write } from "../support.ts";

/** Deleting one memory. */
export function deleteCases(subject: MemorySubject): void {
  it("takes one memory and leaves the others", async () => {
    await write(subject, ...["a", "b", "c"].map((id) => newMemory({ id }, { vector: vectorOf(1) })));
    await subject.store.writer.delete(subject.scope, "b", { now: NOW });
    expect(await storedIds(subject)).toEqual(["a", "c"]);
    expect(await subject.store.reader.get(subject.scope, ["b"], NOW)).toEqual([undefined]);
    expect(await subject.store.search.vectors(subject.scope, ["b"])).toEqual([undefined]);
  });

  it.each(ANY_STATE.states)("takes a memory that is %s", async (state) => {
    await write(subject, newMemory({ state }));
    await subject.store.writer.delete(subject.scope, "m1", { now: NOW });
    expect(await storedIds(subject)).toEqual([]);
  });

  it("rejects with MEMORY_NOT_FOUND for a missing memory, and for a deleted one", async () => {
    await write(subject, newMemory({ id: "a" }));
    expect(await reasonOf(subject.store.writer.delete(subject.scope, "b", { now: NOW }))).toBe(
      "MEMORY_NOT_FOUND",
    );
    expect(await reasonOf(subject.store.writer.delete(subject.scope, "a", { now: NOW }))).toBeUndefined();
    expect(await reasonOf(subject.store.writer.delete(subject.scope, "a", { now: NOW }))).toBe(
      "MEMORY_NOT_FOUND",
    );
  });

  it("rejects with MEMORY_NOT_FOUND whatever the etag, when there is no memory", async () => {
    const deletion = subject.store.writer.delete(subject.scope, "a", { etag: "any", now: NOW });
    expect(await reasonOf(deletion)).toBe("MEMORY_NOT_FOUND");
  });

  it("takes the memory when the etag is its own", async () => {
    const one = memory();
    await write(subject, newMemory(one));
    await subject.store.writer.delete(subject.scope, "m1", { etag: one.etag, now: NOW });
    expect(await storedIds(subject)).toEqual([]);
  });

  it.each(["another", ""])("leaves the memory with ETAG_MISMATCH when the etag is '%s'", async (etag) => {
    await write(subject, newMemory({}, { vector: vectorOf(1) }));
    expect(await reasonOf(subject.store.writer.delete(subject.scope, "m1", { etag, now: NOW }))).toBe(
      "ETAG_MISMATCH",
    );
    expect(await storedIds(subject)).toEqual(["m1"]);
    const found = await search(subject, { vector: vectorOf(1), terms: ["fact"] });
    expect([idsOf(found.byVector), idsOf(found.byKeyword)]).toEqual([["m1"], ["m1"]]);
  });

  it("is carried out once when many ask for it at the same time", async () => {
    await write(subject, newMemory());
    const reasons = await Promise.all(
      Array.from({ length: 10 }, () =>
        reasonOf(subject.store.writer.delete(subject.scope, "m1", { now: NOW })),
      ),
    );
    expect(reasons.filter((reason) => reason === undefined)).toHaveLength(1);
    expect(reasons.filter((reason) => reason === "MEMORY_NOT_FOUND")).toHaveLength(9);
  });
}
