import { describe, expect, it } from "vitest";
import type { Operation } from "./operations.ts";
import { runRandomly, shorten } from "./shorten.ts";

const wait = (ms: number): Operation => ({ op: "wait", ms });

/** Fails for lists in which 3 stands before 70. */
async function failing(operations: readonly Operation[]): Promise<void> {
  const waits = operations.map((one) => (one.op === "wait" ? one.ms : 0));
  if (waits.includes(3) && waits.includes(70, waits.indexOf(3))) throw new Error("3 before 70");
}

describe("shorten", () => {
  it("leaves the operations that the failure needs, in their order", async () => {
    const operations = Array.from({ length: 100 }, (_, index) => wait(index));
    const shortest = await shorten(operations, new Error("first"), failing);
    expect(shortest.operations).toEqual([wait(3), wait(70)]);
    expect(shortest.error).toEqual(new Error("3 before 70"));
  });

  it("keeps the failure that it cannot show again", async () => {
    const error = new Error("once");
    expect(await shorten([wait(1)], error, async () => undefined)).toEqual({ operations: [wait(1)], error });
  });
});

describe("runRandomly", () => {
  it("reports the seed, the run and a list of operations to repeat", async () => {
    const hasRestart = async (operations: readonly Operation[]): Promise<void> => {
      if (operations.some(({ op }) => op === "restart")) throw new Error("restarted");
    };
    const failure = runRandomly({ level: { ports: true }, runs: 50, seed: 7 }, hasRestart);
    await expect(failure).rejects.toThrow(
      /run \d+ of seed 7 fails; 1 of its \d+ operations show it:\n\{"op":"restart"\}\n/,
    );
  });

  it("does the same for the same seed", async () => {
    const listen = async (): Promise<unknown> => {
      const heard: unknown[] = [];
      await runRandomly(
        { level: { ports: false }, runs: 5, seed: 1 },
        async (operations) => void heard.push(operations),
      );
      return heard;
    };
    expect(await listen()).toEqual(await listen());
  });
});
