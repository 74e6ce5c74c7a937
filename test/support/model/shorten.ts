import fc from "fast-check";
import { type Level, type Operation, operation } from "./operations.ts";

/** Operations in one run, at most. */
const MAX_OPERATIONS = 200;

/** Maximum number of runs to shorten a failure. */
const MAX_RUNS = 400;

/**
 * Runs random operations that depend on the seed only. The first failing run is shortened as long as it still fails, and
 * reported with the seed and the remaining operations.
 */
export async function runRandomly(
  { level, runs, seed }: { readonly level: Level; readonly runs: number; readonly seed: number },
  run: (operations: readonly Operation[]) => Promise<void>,
): Promise<void> {
  const lists = fc.array(operation(level), { minLength: 1, maxLength: MAX_OPERATIONS, size: "max" });
  // Unbiased: else most runs are short, and their values the smallest.
  for (const [index, operations] of fc.sample(lists, { numRuns: runs, seed, unbiased: true }).entries()) {
    try {
      await run(operations);
    } catch (error) {
      const shortest = await shorten(operations, error, run);
      const list = shortest.operations.map((one) => JSON.stringify(one)).join("\n");
      throw new Error(
        `run ${index} of seed ${seed} fails; ${shortest.operations.length} of its ${operations.length} operations ` +
          `show it:\n${list}\n${String(shortest.error)}`,
        { cause: shortest.error },
      );
    }
  }
}

/** Removes stretches of operations, long ones first, as long as the rest still fails. */
export async function shorten(
  failing: readonly Operation[],
  failure: unknown,
  run: (operations: readonly Operation[]) => Promise<void>,
): Promise<{ readonly operations: readonly Operation[]; readonly error: unknown }> {
  let shortest = { operations: failing, error: failure };
  let runs = MAX_RUNS;
  for (let stretch = Math.ceil(failing.length / 2); stretch >= 1; stretch = Math.floor(stretch / 2)) {
    // From the end, so that operations after the failure are removed first.
    for (let start = shortest.operations.length - stretch; start > -stretch && runs > 0; start -= stretch) {
      const { operations } = shortest;
      const rest = [...operations.slice(0, Math.max(0, start)), ...operations.slice(start + stretch)];
      runs -= 1;
      try {
        await run(rest);
      } catch (error) {
        shortest = { operations: rest, error };
      }
    }
  }
  return shortest;
}
