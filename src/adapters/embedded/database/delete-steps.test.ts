import { describe, expect, it } from "vitest";
import { RecollectError } from "../../../domain/errors.ts";
import { DELETE_STEP, type DeleteStep, inSteps } from "./delete-steps.ts";

/** The step sizes that `inSteps` asks for, when steps of up to `rows` rows succeed, until `count` have succeeded. */
async function stepsWithRoomFor(rows: number, count: number): Promise<DeleteStep[]> {
  const steps: DeleteStep[] = [];
  let left = count;
  await inSteps(async (most) => {
    steps.push(most);
    if (most.rows > rows) throw new RecollectError("STORE_FULL", "the disk is full");
    left -= 1;
    return left === 0;
  });
  return steps;
}

describe("a deletion in steps", () => {
  it("uses the full step size while the disk has space", async () => {
    expect(await stepsWithRoomFor(1000, 3)).toEqual([DELETE_STEP, DELETE_STEP, DELETE_STEP]);
  });

  it("uses smaller steps when the disk is full, and continues with these", async () => {
    expect(await stepsWithRoomFor(20, 2)).toEqual([
      { rows: 250, bytes: 16_384 },
      { rows: 63, bytes: 4096 },
      { rows: 16, bytes: 1024 },
      { rows: 16, bytes: 1024 },
    ]);
  });

  it("rejects when one row does not fit, and on any other error at once", async () => {
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
