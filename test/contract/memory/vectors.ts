import { expect, it } from "vitest";
import { newMemory } from "../../support/builders.ts";
import { vectorOf } from "../store-under-test.ts";
import { type MemorySubject, write } from "./support.ts";

/** Reading vectors by memory id. */
export function vectorCases(subject: MemorySubject): void {
  it("are given back by id, undefined where there is no memory or no vector", async () => {
    const [a, b] = [vectorOf(1), vectorOf(2)];
    await write(
      subject,
      newMemory({ id: "a" }, { vector: a }),
      newMemory({ id: "b" }, { vector: b }),
      newMemory({ id: "c" }),
    );
    expect(await subject.store.search.vectors(subject.scope, ["b", "c", "none", "a", "b"])).toEqual([
      b,
      undefined,
      undefined,
      a,
      b,
    ]);
  });

  it("are those of memories in any state", async () => {
    const vector = vectorOf(3);
    await write(subject, newMemory({ state: "ARCHIVED" }, { vector }));
    expect(await subject.store.search.vectors(subject.scope, ["m1"])).toEqual([vector]);
  });

  it("of a refused or duplicate memory are not kept", async () => {
    const vector = vectorOf(3);
    await write(subject, newMemory({ id: "a", text: "the same" }, { vector }));
    await write(
      subject,
      newMemory({ id: "a", text: "another" }, { vector: vectorOf(4) }),
      newMemory({ id: "b", text: "the same" }, { vector: vectorOf(5) }),
    );
    expect(await subject.store.search.vectors(subject.scope, ["a", "b"])).toEqual([vector, undefined]);
  });
}
