import { describe, expect, it } from "vitest";
import { inBatches } from "./batches.ts";

const collectBatches = (sizes: readonly number[], maxItems: number, maxBytes: number): Promise<number[][]> =>
  Array.fromAsync(inBatches(sizes, (size) => size, { maxItems, maxBytes }));

describe("inBatches", () => {
  it("ends a batch at the maximum number of items", async () => {
    expect(await collectBatches([1, 1, 1, 1, 1], 2, 100)).toEqual([[1, 1], [1, 1], [1]]);
  });

  it("ends a batch before it exceeds the maximum size", async () => {
    expect(await collectBatches([40, 50, 20, 90, 10], 10, 100)).toEqual([[40, 50], [20], [90, 10]]);
  });

  it("puts an oversized item into a batch of its own", async () => {
    expect(await collectBatches([1, 500, 1], 10, 100)).toEqual([[1], [500], [1]]);
  });

  it("makes no batch without items", async () => {
    expect(await collectBatches([], 10, 100)).toEqual([]);
  });
});
