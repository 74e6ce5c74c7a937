import { describe, expect, it } from "vitest";
import { SeenNumbers } from "./counter-cache.ts";

describe("numbers that were seen", () => {
  it("are those of their namespace, as they were seen last", () => {
    const seen = new SeenNumbers();
    seen.set("a1", "x", 1);
    seen.set("a2", "x", 2);
    seen.set("a1", "x", 3);
    expect([seen.get("a1", "x"), seen.get("a2", "x"), seen.get("a1", "y")]).toEqual([3, 2, undefined]);
    seen.forget("a1", "x");
    expect([seen.get("a1", "x"), seen.get("a2", "x")]).toEqual([undefined, 2]);
  });

  it("are forgotten when they were not used for longest", () => {
    const seen = new SeenNumbers();
    for (const name of ["first", "second", "third"]) seen.set("a1", name, 1);
    seen.get("a1", "first");
    for (let at = 0; at < 99_999; at += 1) seen.set("a2", String(at), at);
    expect(["first", "second", "third"].map((name) => seen.get("a1", name))).toEqual([
      1,
      undefined,
      undefined,
    ]);
  });
});
