import { describe, expect, it } from "vitest";
import { mapYielding } from "./yield-to-event-loop.ts";

/** What comes of mapping these texts, and how many of them were mapped when the event loop first ran; -1: it did not. */
async function mapped(
  texts: readonly string[],
): Promise<{ readonly made: string[]; readonly yieldedAfter: number }> {
  let [count, yieldedAfter] = [0, -1];
  setImmediate(() => {
    yieldedAfter = count;
  });
  const made = await mapYielding(
    texts,
    (text) => text.length,
    (text, index) => {
      count += 1;
      return `${index} ${text.length}`;
    },
  );
  return { made, yieldedAfter };
}

describe("mapYielding", () => {
  it("keeps the order", async () => {
    expect((await mapped(["a", "", "bb"])).made).toEqual(["0 1", "1 0", "2 2"]);
    expect((await mapped([])).made).toEqual([]);
  });

  it("lets the event loop run between long items", async () => {
    const long = "x".repeat(40 * 1024);
    const { made, yieldedAfter } = await mapped(Array.from({ length: 10 }, () => long));
    expect(made).toHaveLength(10);
    expect(yieldedAfter).toBe(1);
  });

  it("maps some short ones before it yields", async () => {
    expect((await mapped(Array.from({ length: 50 }, () => "short"))).yieldedAfter).toBe(-1);
    const { yieldedAfter } = await mapped(Array.from({ length: 200 }, () => "short"));
    expect(yieldedAfter).toBeGreaterThan(50);
    expect(yieldedAfter).toBeLessThan(100);
  });
});
