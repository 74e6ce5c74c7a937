import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { CacheEntrySchema } from "#gen/recollect/v1/cache_pb.js";
import { MemorySchema } from "#gen/recollect/v1/memory_pb.js";
import { cacheEntries, storedMemories } from "../../../test/support/arbitrary-records.ts";
import { cacheEntry, memory } from "../../../test/support/builders.ts";
import { fieldBytes } from "./answer-fit.ts";
import { fromEntry } from "./cache.ts";
import { maxEntryBytes, maxMemoryBytes } from "./max-bytes.ts";
import { fromStoredMemory } from "./memory.ts";

const NAMESPACE = "n".repeat(63);

describe("maxMemoryBytes", () => {
  it("is never less than a memory takes", () => {
    fc.assert(
      fc.property(storedMemories, (one) => {
        const bytes = fieldBytes(MemorySchema, fromStoredMemory(one, NAMESPACE));
        expect(maxMemoryBytes(one, NAMESPACE)).toBeGreaterThanOrEqual(bytes);
      }),
      { seed: 1, numRuns: 300 },
    );
  });

  it("is close to the size of a memory with few fields", () => {
    expect(maxMemoryBytes(memory({ text: "語".repeat(1000) }), NAMESPACE)).toBeLessThan(3000 + 1000);
  });
});

describe("maxEntryBytes", () => {
  it("is never less than an entry takes", () => {
    fc.assert(
      fc.property(cacheEntries, (one) => {
        const bytes = fieldBytes(CacheEntrySchema, fromEntry(one, NAMESPACE));
        expect(maxEntryBytes(one, NAMESPACE)).toBeGreaterThanOrEqual(bytes);
      }),
      { seed: 2, numRuns: 300 },
    );
  });

  it("is close to the size of an entry with few fields", () => {
    expect(maxEntryBytes(cacheEntry({ response: "語".repeat(1000) }), NAMESPACE)).toBeLessThan(3000 + 1000);
  });
});
