import fc from "fast-check";
import { type Level, type Operation, operation } from "./operations.ts";

/** Operations in one run, at most. */
const MAX_OPERATIONS = 200;

/** Runs that a failure may cost until it is told. */
const ATTEMPTS = 400;

/**
 * Does runs of random operations that the seed alone decides. The first that fails is made shorter for as long as it
 * still fails, and told with the seed and the operations that are left.
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

/** Leaves out stretches of operations, long ones first, as long as what is left still fails. */
export async function shorten(
  failing: readonly Operation[],
  failure: unknown,
  run: (operations: readonly Operation[]) => Promise<void>,
): Promise<{ readonly operations: readonly Operation[]; readonly error: unknown }> {
  let shortest = { operations: failing, error: failure };
  let attempts = ATTEMPTS;
  for (let stretch = Math.ceil(failing.length / 2); stretch >= 1; stretch = Math.floor(stretch / 2)) {
    // From the end on: what comes behind the failure goes at once.
    for (
      let start = shortest.operations.length - stretch;
      start > -stretch && attempts > 0;
      start -= stretch
    ) {
      const { operations } = shortest;
      const rest = [...operations.slice(0, Math.max(0, start)), ...operations.slice(start + stretch)];
      attempts -= 1;
      try {
        await run(rest);
      } catch (error) {
        shortest = { operations: rest, error };
      }
    }
  }
  return shortest;
}
