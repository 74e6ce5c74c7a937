import { describe, expect, it } from "vitest";
import { invalidField } from "../../../../src/domain/errors.ts";
import type { Memory, MemoryState } from "../../../../src/domain/memory/memory.ts";
import { DAY, memory, NOW, newMemory } from "../../../support/builders.ts";
import { ODD_TEXTS, reasonOf, vectorOf } from "../../store-under-test.ts";
import { idsOf, listAll, type MemorySubject, memoryOf, outcomeText, storedIds, write } from "../support.ts";

/** Created memories, conflicts, and the outcome of each item. */
export function createCases(subject: MemorySubject): void {
  it("answers one outcome per item, in order", async () => {
    const outcomes = await write(
      subject,
      ...["c", "a", "d", "b"].map((id) => newMemory({ id }, { onDuplicate: "REFUSE" })),
    );
    expect(outcomes.map(outcomeText)).toEqual(["created c", "created a", "created d", "created b"]);
    expect(await storedIds(subject)).toEqual(["a", "b", "c", "d"]);
  });

  it("answers nothing for no items", async () => {
    expect(await write(subject)).toEqual([]);
    expect(await storedIds(subject)).toEqual([]);
  });

  it("takes a batch of 200", async () => {
    const ids = Array.from({ length: 200 }, (_, index) => `m${String(index).padStart(3, "0")}`);
    const outcomes = await write(subject, ...ids.map((id) => newMemory({ id }, { vector: vectorOf(1) })));
    expect(outcomes.map(outcomeText)).toEqual(ids.map((id) => `created ${id}`));
    expect(await storedIds(subject)).toEqual(ids);
  });

  it("keeps every field as it was given", async () => {
    const full: Memory = memory({
      id: "A.b:c_d-1",
      text: "  kept verbatim,\n\nwith  white space ",
      kind: "EPISODIC",
      userId: "user:1",
      agentId: "agent 2",
      sessionId: "session/3",
      role: "assistant",
      author: "Zoë",
      tags: ["b", "a", "B"],
      metadata: {
        zero: 0,
        yes: true,
        no: false,
        nothing: null,
        text: "1",
        list: [1, [2], { a: 3 }],
        deep: { a: { b: 1.5 } },
      },
      importance: 0.123456789,
      pinned: true,
      eventTime: NOW - 5 * DAY,
      validFrom: NOW - 4 * DAY,
      validUntil: NOW + 4 * DAY,
      expireTime: NOW + 5 * DAY,
      createTime: NOW - DAY,
      updateTime: NOW - 1,
      state: "SUPERSEDED",
      supersededBy: "other",
      sourceIds: ["s2", "s1"],
      embedding: { state: "READY", provider: "contract", model: "random", dimension: 20, truncated: true },
    });
    const [outcome] = await write(subject, newMemory(full, { vector: vectorOf(1) }));
    const expected = { ...full, sessionPosition: 1 };
    expect(memoryOf(outcome)).toStrictEqual(expected);
    expect(await subject.store.reader.get(subject.scope, [full.id], NOW)).toStrictEqual([expected]);
    expect(await listAll(subject.store, subject.scope)).toStrictEqual([expected]);
  });

  it("keeps absent fields absent", async () => {
    const plain = memory();
    const [outcome] = await write(subject, newMemory(plain));
    expect(memoryOf(outcome)).toStrictEqual(plain);
    expect(await subject.store.reader.get(subject.scope, ["m1"], NOW)).toStrictEqual([plain]);
  });

  it.each(ODD_TEXTS)("keeps odd texts in every field: %s", async (_name, text) => {
    const odd = memory({
      text,
      userId: text,
      agentId: text,
      sessionId: text,
      role: text,
      author: text,
      tags: [text],
      metadata: { [text]: { [text]: text } },
    });
    await write(subject, newMemory(odd));
    expect(await subject.store.reader.get(subject.scope, ["m1"], NOW)).toStrictEqual([
      { ...odd, sessionPosition: 1 },
    ]);
  });

  it("keeps a text of 64 KiB and metadata of 16 KiB", async () => {
    const large = memory({ text: "é🎉 word ".repeat(6000), metadata: { note: "x".repeat(16_000) } });
    await write(subject, newMemory(large));
    expect(await subject.store.reader.get(subject.scope, ["m1"], NOW)).toStrictEqual([large]);
  });

  describe("of an item that is refused already", () => {
    it("keeps the position of a refusal and returns its error", async () => {
      const refusal = invalidField("memories[1].text", "is wrong");
      const outcomes = await write(subject, newMemory({ id: "a" }), { refusal }, newMemory({ id: "b" }));
      expect(outcomes.map(outcomeText)).toEqual(["created a", "refused REQUEST_INVALID", "created b"]);
      expect(outcomes[1]).toEqual({ kind: "refused", error: refusal });
      expect(await storedIds(subject)).toEqual(["a", "b"]);
    });

    it("stores nothing when there are no others", async () => {
      const refusal = invalidField("memories[0].text", "is wrong");
      const outcomes = await write(subject, { refusal }, { refusal });
      expect(outcomes.map(outcomeText)).toEqual(["refused REQUEST_INVALID", "refused REQUEST_INVALID"]);
      expect(await storedIds(subject)).toEqual([]);
    });
  });

  describe("of an id that is taken", () => {
    it.each<MemoryState>(["ACTIVE", "SUPERSEDED", "ARCHIVED", "QUARANTINED"])(
      "refuses it while the other is %s, and leaves the other as it was",
      async (state) => {
        const first = memory({ text: "the first", state });
        await write(subject, newMemory(first));
        const outcomes = await write(
          subject,
          newMemory({ id: "a" }),
          newMemory({ text: "the second" }),
          newMemory({ id: "b" }),
        );
        expect(outcomes.map(outcomeText)).toEqual([
          "created a",
          "refused MEMORY_ALREADY_EXISTS",
          "created b",
        ]);
        expect(await subject.store.reader.get(subject.scope, ["m1"], NOW)).toEqual([first]);
      },
    );

    it("refuses it with ALLOW too, which speaks of texts alone", async () => {
      await write(subject, newMemory({ text: "the first" }));
      const outcomes = await write(subject, newMemory({ text: "the second" }, { onDuplicate: "ALLOW" }));
      expect(outcomes.map(outcomeText)).toEqual(["refused MEMORY_ALREADY_EXISTS"]);
    });

    it("counts an earlier item of the batch", async () => {
      const outcomes = await write(
        subject,
        newMemory({ text: "the first" }),
        newMemory({ text: "the second" }),
      );
      expect(outcomes.map(outcomeText)).toEqual(["created m1", "refused MEMORY_ALREADY_EXISTS"]);
      const [existing] = await subject.store.reader.get(subject.scope, ["m1"], NOW);
      expect(existing?.text).toBe("the first");
    });

    it("distinguishes ids by case", async () => {
      const outcomes = await write(subject, newMemory({ id: "ab" }), newMemory({ id: "AB", text: "other" }));
      expect(outcomes.map(outcomeText)).toEqual(["created ab", "created AB"]);
      expect(
        idsOf((await subject.store.reader.get(subject.scope, ["AB", "ab"], NOW)).filter(isThere)),
      ).toEqual(["AB", "ab"]);
    });

    it("is free again after a deletion", async () => {
      await write(subject, newMemory({ text: "the first" }));
      await subject.store.writer.delete(subject.scope, "m1", { now: NOW });
      const outcomes = await write(subject, newMemory({ text: "the second" }));
      expect(outcomes.map(outcomeText)).toEqual(["created m1"]);
      expect((await subject.store.reader.get(subject.scope, ["m1"], NOW))[0]?.text).toBe("the second");
    });

    it("is created by exactly one of many concurrent writes", async () => {
      const outcomes = await Promise.all(
        Array.from({ length: 10 }, (_, index) => write(subject, newMemory({ text: `text ${index}` }))),
      );
      expect(outcomes.flat().map(outcomeText).sort()).toEqual([
        "created m1",
        ...Array.from({ length: 9 }, () => "refused MEMORY_ALREADY_EXISTS"),
      ]);
      const created = outcomes.flat().find((outcome) => outcome.kind === "created");
      expect(await subject.store.reader.get(subject.scope, ["m1"], NOW)).toEqual([memoryOf(created)]);
    });
  });

  describe("of a duplicate", () => {
    const first = memory({ id: "first", text: "the same" });

    it("answers the existing one with RETURN_EXISTING and stores nothing", async () => {
      await write(subject, newMemory(first));
      const outcomes = await write(
        subject,
        newMemory({ id: "second", text: "the same" }, { onDuplicate: "RETURN_EXISTING" }),
      );
      expect(outcomes).toEqual([{ kind: "duplicate", memory: first, differs: [] }]);
      expect(await storedIds(subject)).toEqual(["first"]);
    });

    it("refuses it with REFUSE and stores nothing", async () => {
      await write(subject, newMemory(first));
      const outcomes = await write(
        subject,
        newMemory({ id: "second", text: "the same" }, { onDuplicate: "REFUSE" }),
      );
      expect(outcomes.map(outcomeText)).toEqual(["refused MEMORY_DUPLICATE"]);
      expect(await storedIds(subject)).toEqual(["first"]);
    });

    it("stores it with ALLOW", async () => {
      await write(subject, newMemory(first));
      const outcomes = await write(
        subject,
        newMemory({ id: "second", text: "the same" }, { onDuplicate: "ALLOW" }),
      );
      expect(outcomes.map(outcomeText)).toEqual(["created second"]);
      expect(await storedIds(subject)).toEqual(["first", "second"]);
    });

    it("counts those that were allowed in as existing", async () => {
      await write(subject, newMemory(first, { onDuplicate: "ALLOW" }));
      const outcomes = await write(
        subject,
        newMemory({ id: "second", text: "the same" }, { onDuplicate: "REFUSE" }),
      );
      expect(outcomes.map(outcomeText)).toEqual(["refused MEMORY_DUPLICATE"]);
    });

    it("counts earlier items of the batch, each item with its own wish", async () => {
      const outcomes = await write(
        subject,
        newMemory(first, { onDuplicate: "REFUSE" }),
        newMemory({ id: "b", text: "the same" }, { onDuplicate: "REFUSE" }),
        newMemory({ id: "c", text: "the same" }, { onDuplicate: "RETURN_EXISTING" }),
        newMemory({ id: "d", text: "another" }),
        newMemory({ id: "e", text: "the same" }, { onDuplicate: "ALLOW" }),
      );
      expect(outcomes.map(outcomeText)).toEqual([
        "created first",
        "refused MEMORY_DUPLICATE",
        "duplicate first",
        "created d",
        "created e",
      ]);
      expect(await storedIds(subject)).toEqual(["d", "e", "first"]);
    });

    it("does not count items of the batch that were not stored", async () => {
      await write(subject, newMemory({ id: "taken", text: "something else" }));
      const outcomes = await write(
        subject,
        newMemory({ id: "taken", text: "the same" }, { onDuplicate: "REFUSE" }),
        newMemory({ id: "b", text: "the same" }, { onDuplicate: "REFUSE" }),
      );
      expect(outcomes.map(outcomeText)).toEqual(["refused MEMORY_ALREADY_EXISTS", "created b"]);
    });

    it("compares only the duplicate key", async () => {
      await write(subject, newMemory(first));
      const outcomes = await write(
        subject,
        newMemory({ id: "spelling", text: "The  SAME\n" }, { onDuplicate: "REFUSE" }),
        newMemory({ id: "user", text: "the same", userId: "ann" }, { onDuplicate: "REFUSE" }),
        newMemory({ id: "kind", text: "the same", kind: "EPISODIC" }, { onDuplicate: "REFUSE" }),
        newMemory({ id: "session", text: "the same", sessionId: "s" }, { onDuplicate: "REFUSE" }),
        newMemory({ id: "key", text: "the same" }, { onDuplicate: "REFUSE", duplicateKey: "another" }),
      );
      expect(outcomes.map(outcomeText)).toEqual([
        "refused MEMORY_DUPLICATE",
        "created user",
        "created kind",
        "created session",
        "created key",
      ]);
    });

    it.each<MemoryState>(["SUPERSEDED", "ARCHIVED", "QUARANTINED"])(
      "ignores memories that are %s",
      async (state) => {
        await write(subject, newMemory({ ...first, state }));
        const outcomes = await write(
          subject,
          newMemory({ id: "b", text: "the same" }, { onDuplicate: "REFUSE" }),
          newMemory({ id: "c", text: "the same" }, { onDuplicate: "RETURN_EXISTING" }),
        );
        expect(outcomes.map(outcomeText)).toEqual(["created b", "duplicate b"]);
      },
    );

    it("ignores deleted memories", async () => {
      await write(subject, newMemory(first));
      await subject.store.writer.delete(subject.scope, "first", { now: NOW });
      const outcomes = await write(
        subject,
        newMemory({ id: "b", text: "the same" }, { onDuplicate: "REFUSE" }),
      );
      expect(outcomes.map(outcomeText)).toEqual(["created b"]);
    });

    it("accepts exactly one of many concurrent duplicates", async () => {
      const outcomes = await Promise.all(
        Array.from({ length: 10 }, (_, index) =>
          write(
            subject,
            newMemory({ id: `m${index}`, text: "the same" }, { onDuplicate: "RETURN_EXISTING" }),
          ),
        ),
      );
      const stored = await storedIds(subject);
      expect(stored).toHaveLength(1);
      expect(outcomes.flat().map(outcomeText).sort()).toEqual([
        `created ${stored[0]}`,
        ...Array.from({ length: 9 }, () => `duplicate ${stored[0]}`),
      ]);
    });
  });

  it("is seen as a whole or not at all", async () => {
    const sizes = new Set<number>();
    const creates = Array.from({ length: 4 }, (_, batch) =>
      write(subject, ...Array.from({ length: 25 }, (_, index) => newMemory({ id: `m${batch}-${index}` }))),
    );
    let running = true;
    const created = Promise.all(creates).finally(() => {
      running = false;
    });
    do {
      sizes.add((await storedIds(subject)).length);
      await new Promise((resolve) => setImmediate(resolve));
    } while (running);
    await created;
    sizes.add((await storedIds(subject)).length);
    expect([...sizes].filter((size) => size % 25 !== 0)).toEqual([]);
    expect(Math.max(...sizes)).toBe(100);
  });

  it("leaves memories alone that others change while it runs", async () => {
    await write(subject, ...["a", "b", "c"].map((id) => newMemory({ id })));
    const [deleted] = await Promise.all([
      reasonOf(subject.store.writer.delete(subject.scope, "b", { now: NOW })),
      write(subject, newMemory({ id: "d" })),
      write(subject, newMemory({ id: "e" })),
    ]);
    expect(deleted).toBeUndefined();
    expect(await storedIds(subject)).toEqual(["a", "c", "d", "e"]);
  });
}

function isThere(memory: Memory | undefined): memory is Memory {
  return memory !== undefined;
}
