import { describe, expect, it } from "vitest";
import { ENGLISH } from "../../../test/support/english.ts";
import type { ItemKind, PromptItem } from "./analysis.ts";
import { stemWord } from "./analysis-stems.ts";
import { isClipped, isSlip } from "./guard-spelling.ts";

function item(text: string, kind: ItemKind = "word"): PromptItem {
  return { kind, text, stem: stemWord(text), after: "", slot: 0, joined: false };
}

describe("isSlip", () => {
  it.each([
    ["recieve", "receive"],
    ["slwo", "slow"],
    ["enviroment", "environment"],
    ["subscripton", "subscription"],
    ["aubscription", "subscription"],
    ["photosynthsis", "photosynthesis"],
  ])("sees a slip of the keyboard: %s | %s", (one, other) => {
    expect(isSlip(item(one), item(other), ENGLISH)).toBe(true);
    expect(isSlip(item(other), item(one), ENGLISH)).toBe(true);
  });

  it.each([
    ["two words", "adapt", "adopt"],
    ["two words that few people use", "methanol", "ethanol"],
    ["two unknown words", "zoltran", "zoltren"],
    ["short words", "cta", "cat"],
    ["words far from each other", "pohtosinthsis", "photography"],
  ])("takes for different: %s", (_, one, other) => {
    expect(isSlip(item(one), item(other), ENGLISH)).toBe(false);
  });

  it("allows no more than exchanged letters in names", () => {
    expect(isSlip(item("micheal", "name"), item("michael", "name"), ENGLISH)).toBe(true);
    expect(isSlip(item("william", "name"), item("williams", "name"), ENGLISH)).toBe(false);
  });
});

describe("isClipped", () => {
  it.each([
    ["acct", "account", true],
    ["qty", "quantity", true],
    ["reqs", "requirements", true],
    ["cat", "catalog", false],
    ["xyz", "account", false],
  ])("%s of %s: %s", (short, long, expected) => {
    expect(isClipped(item(short), item(long), ENGLISH)).toBe(expected);
    expect(isClipped(item(long), item(short), ENGLISH)).toBe(expected);
  });
});
