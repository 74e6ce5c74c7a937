import { describe, expect, it } from "vitest";
import { indexNames } from "../indexes/schema.ts";
import { Keys } from "../namespaces/keys.ts";
import { Gate } from "./gate.ts";

const NAMES = { memories: "idx", cache: "idx:cache" };

describe("a gate", () => {
  it("is open at first, and can be reopened", async () => {
    const gate = new Gate();
    expect(gate.closedFor("a:{p00}:meta")).toBeUndefined();
    gate.close([0], Promise.resolve());
    expect(gate.isOpen).toBe(false);
    gate.open([0, 1]);
    expect(gate.isOpen).toBe(true);
  });

  it("is closed for the keys and indexes of a partition, and open for those of others", async () => {
    const keys = new Keys("a:", 12);
    const gate = new Gate();
    const until = Promise.resolve();
    gate.close([11], until);
    for (const partition of keys.all()) {
      const expected = partition.number === 11 ? until : undefined;
      expect(gate.closedFor(partition.meta)).toBe(expected);
      expect(gate.closedFor(partition.namespace("ab").memory("{p00}"))).toBe(expected);
      expect(gate.closedFor(indexNames(NAMES, keys, partition).memories)).toBe(expected);
    }
  });

  it("applies to the one partition for an index whose name has no partition", () => {
    const keys = new Keys("a:", 1);
    const gate = new Gate();
    gate.close([0], Promise.resolve());
    expect(gate.closedFor(indexNames(NAMES, keys, keys.partition(0)).cache)).toBeDefined();
  });

  it("rejects with the reason of the refusal, and leaves no rejection unhandled", async () => {
    const gate = new Gate();
    gate.close([0], Promise.reject(new Error("of another model")));
    await expect(gate.closedFor("{p00}")).rejects.toThrow("of another model");
  });
});
