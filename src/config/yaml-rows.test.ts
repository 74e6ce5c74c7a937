import { describe, expect, it } from "vitest";
import { readYamlRows } from "./yaml-rows.ts";

describe("readYamlRows", () => {
  it("returns each row with its line, and scalars as written", () => {
    const text = "# keys\n- a: 0012\n  b: [x, true]\n\n- a: 1e3\n";
    expect(readYamlRows(text)).toEqual({
      rows: [
        { line: 2, value: { a: "0012", b: ["x", "true"] } },
        { line: 5, value: { a: "1e3" } },
      ],
      problems: [],
    });
  });

  it.each(["", "\n", "# nothing but this\n"])("finds no rows in %j", (text) => {
    expect(readYamlRows(text)).toEqual({ rows: [], problems: [] });
  });

  it.each([
    ["no YAML", "- a: 'xyzzy\n"],
    ["a field twice", "- xyzzy: 1\n  xyzzy: 2\n"],
    ["a map", "xyzzy: 1\n"],
    ["a text", "xyzzy\n"],
    ["an alias without anchor", "- *xyzzy\n"],
    ["a tab for spaces", "- a: 1\n\tb: xyzzy\n"],
  ])("refuses %s without quoting the content", (_name, text) => {
    const { rows, problems } = readYamlRows(text);
    expect(rows).toEqual([]);
    expect(problems.length).toBeGreaterThan(0);
    expect(problems.join("\n")).not.toContain("xyzzy");
  });

  it("refuses exponential aliases", () => {
    const levels = Array.from({ length: 12 }, (_, level) => {
      const above = `*l${level - 1}`;
      return `- &l${level} [${level === 0 ? "x, x" : Array.from({ length: 9 }, () => above).join(", ")}]`;
    });
    expect(readYamlRows(levels.join("\n")).problems).toHaveLength(1);
  });
});
