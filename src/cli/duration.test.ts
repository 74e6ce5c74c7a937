import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { formatDuration, parseDuration } from "./duration.ts";

describe("parseDuration", () => {
  it.each([
    ["500ms", 500],
    ["90s", 90_000],
    ["1.5m", 90_000],
    ["12h", 43_200_000],
    ["7d", 604_800_000],
    [" 7d ", 604_800_000],
  ])("reads %j as %d ms", (text, milliseconds) => {
    expect(parseDuration(text)).toBe(milliseconds);
  });

  it.each(["", "90", "s", "-1s", "1 h", "1w", "1e3s", "1h30m", "٣s", `${"9".repeat(40)}d`])(
    "refuses %j",
    (text) => {
      expect(parseDuration(text)).toBeUndefined();
    },
  );
});

describe("formatDuration", () => {
  it.each([
    [0, "0 ms"],
    [850.4, "850 ms"],
    [1_000, "1 s"],
    [61_000, "1 min 1 s"],
    [7_200_000, "2 h"],
    [90_061_000, "1 d 1 h"],
  ])("says %d ms as %j", (milliseconds, text) => {
    expect(formatDuration(milliseconds)).toBe(text);
  });

  it("never returns an empty text", () => {
    fc.assert(fc.property(fc.nat(), (milliseconds) => formatDuration(milliseconds) !== ""));
  });
});
