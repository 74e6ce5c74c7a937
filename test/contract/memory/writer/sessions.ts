import { expect, it } from "vitest";
import { invalidField } from "../../../../src/domain/errors.ts";
import type { Memory } from "../../../../src/domain/memory/memory.ts";
import { NOW, newMemory } from "../../../support/builders.ts";
import { listAll, type MemorySubject, memoryOf, outcomeText, write } from "../support.ts";

/** The position in the session that the store gives each memory. */
export function sessionCases(subject: MemorySubject): void {
  const message = (id: string, sessionId: string, given: Partial<Memory> = {}) =>
    newMemory({ id, sessionId, kind: "MESSAGE", text: "ok", ...given });
  const positions = async (): Promise<Record<string, number>> =>
    Object.fromEntries(
      (await listAll(subject.store, subject.scope)).map((one) => [one.id, one.sessionPosition]),
    );

  it("rises from 1 in the order of writing, each session on its own", async () => {
    const outcomes = await write(subject, message("a1", "a"), message("b1", "b"), message("a2", "a"));
    expect(outcomes.map((outcome) => memoryOf(outcome).sessionPosition)).toEqual([1, 1, 2]);
    await write(subject, message("b2", "b"));
    await write(subject, message("a3", "a"), message("b3", "b"));
    expect(await positions()).toEqual({ a1: 1, a2: 2, a3: 3, b1: 1, b2: 2, b3: 3 });
  });

  it("is 0 without a session", async () => {
    const outcomes = await write(subject, message("m1", ""), message("m2", ""));
    expect(outcomes.map((outcome) => memoryOf(outcome).sessionPosition)).toEqual([0, 0]);
    expect(await positions()).toEqual({ m1: 0, m2: 0 });
  });

  it("is assigned by the store, whatever the caller sends", async () => {
    await write(
      subject,
      message("m1", "a", { sessionPosition: 7 }),
      message("m2", "", { sessionPosition: 7 }),
    );
    expect(await positions()).toEqual({ m1: 1, m2: 0 });
  });

  it("follows the order of writes, not of times", async () => {
    await write(subject, message("late", "a", { createTime: NOW, eventTime: NOW }));
    await write(subject, message("early", "a", { createTime: NOW - 5, eventTime: NOW - 9 }));
    expect(await positions()).toEqual({ late: 1, early: 2 });
  });

  it("is not assigned to items that are not stored", async () => {
    const once = { onDuplicate: "RETURN_EXISTING" } as const;
    const outcomes = await write(
      subject,
      message("m1", "a"),
      { refusal: invalidField("text", "is wrong") },
      message("m1", "a", { text: "taken id" }),
      { ...message("m2", "a"), ...once },
      { ...message("m3", "a"), onDuplicate: "REFUSE" },
      message("m4", "a"),
    );
    expect(outcomes.map(outcomeText)).toEqual([
      "created m1",
      "refused REQUEST_INVALID",
      "refused MEMORY_ALREADY_EXISTS",
      "duplicate m1",
      "refused MEMORY_DUPLICATE",
      "created m4",
    ]);
    expect(await positions()).toEqual({ m1: 1, m4: 2 });
  });

  it("is not given again after a deletion", async () => {
    await write(subject, message("m1", "a"), message("m2", "a"));
    await subject.store.writer.delete(subject.scope, "m2", { now: NOW });
    await subject.store.writer.delete(subject.scope, "m1", { now: NOW });
    await write(subject, message("m3", "a"));
    expect(await positions()).toEqual({ m3: 3 });
  });

  it("has no gap and no duplicate among many writers, and follows the order inside each batch", async () => {
    const batches = await Promise.all(
      Array.from({ length: 20 }, (_, batch) =>
        write(
          subject,
          ...Array.from({ length: 6 }, (_, index) =>
            message(`m${batch}-${index}`, index % 2 === 0 ? "a" : "b"),
          ),
        ),
      ),
    );
    const upTo60 = Array.from({ length: 60 }, (_, index) => index + 1);
    for (const session of ["a", "b"]) {
      const given = batches.map((outcomes) =>
        outcomes
          .map(memoryOf)
          .filter(({ sessionId }) => sessionId === session)
          .map(({ sessionPosition }) => sessionPosition),
      );
      expect(given.flat().sort(ascending)).toEqual(upTo60);
      expect(given).toEqual(given.map((inBatch) => inBatch.toSorted(ascending)));
    }
  });

  it("distinguishes sessions by exact id", async () => {
    await write(subject, message("m1", "a"), message("m2", "A"), message("m3", "a "), message("m4", "a:1"));
    expect(await positions()).toEqual({ m1: 1, m2: 1, m3: 1, m4: 1 });
  });
}

function ascending(a: number, b: number): number {
  return a - b;
}
