import { describe, expect, it } from "vitest";
import { mapInTurns } from "./yield-to-event-loop.ts";

/** What comes of mapping these texts, and what somebody else, who waited for a turn, could do after how many of them. */
async function mapped(
  texts: readonly string[],
): Promise<{ readonly made: string[]; readonly turnAfter: number }> {
  let [count, turnAfter] = [0, -1];
  setImmediate(() => {
    turnAfter = count;
  });
  const made = await mapInTurns(
    texts,
    (text) => text.length,
    (text, index) => {
      count += 1;
      return `${index} ${text.length}`;
    },
  );
  return { made, turnAfter };
}

describe("mapInTurns", () => {
  it("keeps the order", async () => {
    expect((await mapped(["a", "", "bb"])).made).toEqual(["0 1", "1 0", "2 2"]);
    expect((await mapped([])).made).toEqual([]);
  });

  it("lets others have their turn between long items", async () => {
    const long = "x".repeat(40 * 1024);
    const { made, turnAfter } = await mapped(Array.from({ length: 10 }, () => long));
    expect(made).toHaveLength(10);
    expect(turnAfter).toBe(1);
  });

  it("goes through some short ones in one turn", async () => {
    expect((await mapped(Array.from({ length: 50 }, () => "short"))).turnAfter).toBe(-1);
    const { turnAfter } = await mapped(Array.from({ length: 200 }, () => "short"));
    expect(turnAfter).toBeGreaterThan(50);
    expect(turnAfter).toBeLessThan(100);
  });
});
