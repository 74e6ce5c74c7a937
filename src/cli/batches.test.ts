import { describe, expect, it } from "vitest";
import { inBatches } from "./batches.ts";

const collectBatches = (sizes: readonly number[], maxItems: number, maxBytes: number): Promise<number[][]> =>
  Array.fromAsync(inBatches(sizes, (size) => size, { maxItems, maxBytes }));

describe("inBatches", () => {
  it("ends a batch at the number of items", async () => {
    expect(await collectBatches([1, 1, 1, 1, 1], 2, 100)).toEqual([[1, 1], [1, 1], [1]]);
  });

  it("ends a batch before it grows too large", async () => {
    expect(await collectBatches([40, 50, 20, 90, 10], 10, 100)).toEqual([[40, 50], [20], [90, 10]]);
  });

  it("sends an item that is too large by itself alone", async () => {
    expect(await collectBatches([1, 500, 1], 10, 100)).toEqual([[1], [500], [1]]);
  });

  it("makes no batch of nothing", async () => {
    expect(await collectBatches([], 10, 100)).toEqual([]);
  });
});
