import { describe, expect, it } from "vitest";
import { isIndexSooner } from "./page-plan.ts";

describe("the source of a page", () => {
  it.each([
    ["few of many", { stored: 10_000, eligible: 10, limit: 50 }, true],
    ["none", { stored: 10_000, eligible: 0, limit: 50 }, true],
    ["a tenth", { stored: 10_000, eligible: 1000, limit: 50 }, true],
    ["half", { stored: 10_000, eligible: 5000, limit: 50 }, false],
    ["all, of which few are wanted", { stored: 10_000, eligible: 10_000, limit: 50 }, false],
    ["half, of which all are wanted", { stored: 10_000, eligible: 5000, limit: 5000 }, true],
  ] as const)("is the index where it is faster: %s", (_name, sizes, index) => {
    expect(isIndexSooner(sizes)).toBe(index);
  });
});
