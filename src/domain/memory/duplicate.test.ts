import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { memory, NOW } from "../../../test/support/builders.ts";
import { type DifferingField, MAX_TAGS, mergeDuplicate } from "./duplicate.ts";
import { etagOf, type Memory } from "./memory.ts";

const TAGS = Array.from({ length: 60 }, (_, index) => `t${index}`);

const anyMemory = fc
  .record(
    {
      text: fc.constantFrom("a text", "A text"),
      tags: fc.subarray(TAGS, { maxLength: MAX_TAGS }),
      metadata: fc.constantFrom({}, { a: 1 }, { a: 1, b: [true, null] }),
      importance: fc.constantFrom(0, 0.5, 1),
      pinned: fc.boolean(),
      sourceIds: fc.subarray(["s1", "s2"]),
      updateTime: fc.integer({ min: NOW - 5, max: NOW + 5 }),
      expireTime: fc.integer({ min: NOW + 1, max: NOW + 10 }),
    },
    { requiredKeys: ["text", "tags", "metadata", "importance", "pinned", "sourceIds", "updateTime"] },
  )
  .map((given) => memory({ id: "m", ...given }));

const endOf = ({ expireTime }: Memory): number => expireTime ?? Number.POSITIVE_INFINITY;

/** A property of any two memories. */
function check(property: (stored: Memory, asked: Memory) => void): void {
  fc.assert(fc.property(anyMemory, anyMemory, property));
}

describe("mergeDuplicate", () => {
  it("expires at the later of both times", () => {
    check((stored, asked) => {
      const { memory: merged } = mergeDuplicate(stored, asked, NOW);
      expect(endOf(merged)).toBe(Math.max(endOf(stored), endOf(asked)));
    });
  });

  it("drops and repeats no tag, and adds the requested ones up to the limit", () => {
    check((stored, asked) => {
      const { tags } = mergeDuplicate(stored, asked, NOW).memory;
      expect(tags.slice(0, stored.tags.length)).toEqual(stored.tags);
      expect(new Set(tags).size).toBe(tags.length);
      const wanted = new Set([...stored.tags, ...asked.tags]);
      expect(tags.length).toBe(Math.min(MAX_TAGS, wanted.size));
      expect(tags.every((tag) => wanted.has(tag))).toBe(true);
    });
  });

  it("is idempotent", () => {
    check((stored, asked) => {
      const once = mergeDuplicate(stored, asked, NOW);
      const twice = mergeDuplicate(once.memory, asked, NOW + 100);
      expect(twice.memory).toBe(once.memory);
      expect(twice.differs).toEqual(once.differs);
    });
  });

  it("changes no other field, and returns the same object when nothing changes", () => {
    check((stored, asked) => {
      const { memory: merged } = mergeDuplicate(stored, asked, NOW);
      const { tags, expireTime, updateTime, etag } = merged;
      const ends = expireTime === undefined ? {} : { expireTime };
      const { expireTime: _, ...before } = stored;
      expect(merged).toEqual({ ...before, tags, ...ends, updateTime, etag });
      const isSame = endOf(merged) === endOf(stored) && tags.length === stored.tags.length;
      expect(merged === stored).toBe(isSame);
      if (isSame) return;
      expect(updateTime).toBe(Math.max(NOW, stored.updateTime + 1));
      expect(etag).toBe(etagOf(merged));
    });
  });

  it("reports no difference of a memory from itself", () => {
    check((stored) => {
      expect(mergeDuplicate(stored, stored, NOW)).toEqual({ memory: stored, differs: [] });
    });
  });

  it.each<[Partial<Memory>, Partial<Memory>, DifferingField[]]>([
    [{ text: "Tea" }, { text: "tea" }, ["text"]],
    [{ metadata: { a: 1 } }, {}, ["metadata"]],
    [{ metadata: { a: 1, b: 2 } }, { metadata: { b: 2, a: 1 } }, []],
    [{ importance: 0.9 }, {}, ["importance"]],
    [{ pinned: true }, {}, ["pinned"]],
    [{ sourceIds: ["a"] }, { sourceIds: ["b"] }, ["source_ids"]],
    [{ tags: ["a"] }, {}, []],
    [{ tags: ["a"] }, { tags: ["b"] }, []],
    [{ tags: TAGS.slice(0, MAX_TAGS) }, { tags: ["x"] }, ["tags"]],
    [{ expireTime: NOW + 5 }, {}, []],
    [{}, { expireTime: NOW + 5 }, ["expire_time"]],
    [{ expireTime: NOW + 5 }, { expireTime: NOW + 6 }, []],
    [{ expireTime: NOW + 5 }, { expireTime: NOW + 4 }, ["expire_time"]],
    [
      { text: "A", pinned: true, importance: 0 },
      { text: "a", expireTime: NOW + 1, metadata: { a: 1 }, sourceIds: ["a"] },
      ["text", "metadata", "importance", "pinned", "expire_time", "source_ids"],
    ],
  ])("of %j, when %j is asked for, names %j", (stored, asked, differs) => {
    const same = { id: "m", text: "a" };
    expect(
      mergeDuplicate(memory({ ...same, ...stored }), memory({ ...same, ...asked }), NOW).differs,
    ).toEqual(differs);
  });
});
