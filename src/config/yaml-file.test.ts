import { describe, expect, it } from "vitest";
import { substitute } from "./yaml-file.ts";

describe("substitute", () => {
  const environment = { A: "1", EMPTY: "", DOLLAR: "$&" };
  it.each([
    ["plain", "plain"],
    ["<$" + "{A}>", "<1>"],
    ["$" + "{A:-2}$" + "{B:-2}$" + "{EMPTY:-3}", "123"],
    ["<$" + "{B}$" + "{EMPTY}$" + "{B:-}>", "<>"],
    ["<$" + "{constructor}>", "<>"],
    ["$" + "{DOLLAR}", "$&"],
    ["$A {A} $", "$A {A} $"],
  ])("turns %s into %s", (text, expected) => {
    const broken: string[] = [];
    expect(substitute(text, environment, (one) => broken.push(one))).toBe(expected);
    expect(broken).toEqual([]);
  });

  it.each(["$" + "{1A}", "$" + "{A", "$" + "{A B}", "$" + "{A-2}"])(
    "reports %s and keeps it unchanged",
    (text) => {
      const broken: string[] = [];
      expect(substitute(text, environment, (one) => broken.push(one))).toBe(text);
      expect(broken).toEqual([text]);
    },
  );
});
