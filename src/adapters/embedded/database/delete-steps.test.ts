import { describe, expect, it } from "vitest";
import { RecollectError } from "../../../domain/errors.ts";
import { DELETE_STEP, type DeleteStep, inSteps } from "./delete-steps.ts";

/** Steps that succeed with so many rows at most; what each was told, until so many have succeeded. */
async function stepsWithRoomFor(rows: number, count: number): Promise<DeleteStep[]> {
  const told: DeleteStep[] = [];
  let left = count;
  await inSteps(async (most) => {
    told.push(most);
    if (most.rows > rows) throw new RecollectError("STORE_FULL", "the disk is full");
    left -= 1;
    return left === 0;
  });
  return told;
}

describe("a deletion in steps", () => {
  it("takes as much each time while there is room", async () => {
    expect(await stepsWithRoomFor(1000, 3)).toEqual([DELETE_STEP, DELETE_STEP, DELETE_STEP]);
  });

  it("takes less rows and bytes when it finds no room, and goes on with these", async () => {
    expect(await stepsWithRoomFor(20, 2)).toEqual([
      { rows: 250, bytes: 65_536 },
      { rows: 63, bytes: 16_384 },
      { rows: 16, bytes: 4096 },
      { rows: 16, bytes: 4096 },
    ]);
  });

  it("ends when there is no room for one row, and on anything else at once", async () => {
    await expect(stepsWithRoomFor(0, 1)).rejects.toMatchObject({ reason: "STORE_FULL" });
    let calls = 0;
    const failing = inSteps(async () => {
      calls += 1;
      throw new RecollectError("STORE_UNAVAILABLE", "the store is closed");
    });
    await expect(failing).rejects.toMatchObject({ reason: "STORE_UNAVAILABLE" });
    expect(calls).toBe(1);
  });
});
