import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { completeLinkGroups, type Link } from "./linkage.ts";

const links: fc.Arbitrary<Link[]> = fc.uniqueArray(
  fc
    .record({ one: fc.nat(12), other: fc.nat(12), similarity: fc.constantFrom(0.8, 0.9, 0.95, 1) })
    .filter(({ one, other }) => one < other),
  { selector: ({ one, other }) => `${one} ${other}`, maxLength: 40 },
);

describe("completeLinkGroups", () => {
  it("joins only what is all linked, at most so many, each once", () => {
    fc.assert(
      fc.property(links, fc.integer({ min: 2, max: 6 }), (all, maxSize) => {
        const groups = completeLinkGroups(all, maxSize);
        const members = groups.flat();
        expect(new Set(members).size).toBe(members.length);
        for (const group of groups) {
          expect(group.length).toBeGreaterThanOrEqual(2);
          expect(group.length).toBeLessThanOrEqual(maxSize);
          for (const [at, one] of group.entries())
            for (const other of group.slice(at + 1))
              expect(all.some((link) => link.one === one && link.other === other)).toBe(true);
        }
      }),
    );
  });

  it("leaves no two linked ones alone", () => {
    fc.assert(
      fc.property(links, (all) => {
        const grouped = new Set(completeLinkGroups(all, 4).flat());
        for (const { one, other } of all) expect(grouped.has(one) || grouped.has(other)).toBe(true);
      }),
    );
  });

  it("gives the other groups when one is taken away", () => {
    fc.assert(
      fc.property(links, (all) => {
        const [first, ...rest] = completeLinkGroups(all, 4);
        const without = all.filter(({ one, other }) => !first?.includes(one) && !first?.includes(other));
        expect(completeLinkGroups(without, 4)).toEqual(rest);
      }),
    );
  });

  it("makes no chain", () => {
    const chain = [
      { one: 0, other: 1, similarity: 0.9 },
      { one: 1, other: 2, similarity: 0.95 },
      { one: 2, other: 3, similarity: 0.9 },
    ];
    expect(completeLinkGroups(chain, 8)).toEqual([[1, 2]]);
  });
});
