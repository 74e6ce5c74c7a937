// The labelled pairs that bench/quality/cache.ts measures with: figures are only as good as the set is balanced.

import { describe, expect, it } from "vitest";
import { type PairLabel, type PromptPair, readPromptPairs } from "../../bench/quality/cache-pairs.ts";

const pairs = readPromptPairs();
const labelled = (label: PairLabel): PromptPair[] => pairs.filter((pair) => pair.label === label);
const namesOf = (of: readonly PromptPair[], key: "kind" | "domain"): string[] =>
  [...new Set(of.map((pair) => pair[key]))].sort();

describe("the labelled pairs of prompts", () => {
  it("are at least 450, about half of them traps", () => {
    expect(pairs.length).toBeGreaterThanOrEqual(450);
    expect(Math.abs(labelled("trap").length / pairs.length - 0.5)).toBeLessThan(0.03);
  });

  it("are of many kinds, at least ten of each, and about a third of the safe ones free paraphrases", () => {
    expect(namesOf(labelled("safe"), "kind")).toHaveLength(12);
    expect(namesOf(labelled("trap"), "kind")).toHaveLength(18);
    for (const [kind, members] of Map.groupBy(pairs, ({ label, kind }) => `${label} ${kind}`)) {
      expect(members.length, kind).toBeGreaterThanOrEqual(10);
    }
    const paraphrases = labelled("safe").filter(({ kind }) => kind === "paraphrase").length;
    expect(paraphrases / labelled("safe").length).toBeGreaterThan(1 / 3);
  });

  it("are spread over six domains, both labels in each", () => {
    const domains = ["coding", "data", "finance", "medicine", "support", "travel"];
    for (const label of ["safe", "trap"] as const) {
      expect(namesOf(labelled(label), "domain")).toEqual(domains);
      for (const [domain, members] of Map.groupBy(labelled(label), (pair) => pair.domain)) {
        expect(members.length / labelled(label).length, domain).toBeGreaterThan(0.1);
      }
    }
  });

  it("have two different prompts of 4 to 25 words, and occur once", () => {
    const seen = new Set<string>();
    for (const { stored, asked } of pairs) {
      expect(stored).not.toBe(asked);
      for (const prompt of [stored, asked]) {
        const words = prompt.split(/\s+/).length;
        expect(words, prompt).toBeGreaterThanOrEqual(4);
        expect(words, prompt).toBeLessThanOrEqual(25);
        expect(prompt, prompt).toBe(prompt.trim());
      }
      const both = [stored, asked].sort().join("\t");
      expect(seen.has(both), both).toBe(false);
      seen.add(both);
    }
  });
});
