import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { createHashingEmbedder } from "../../src/adapters/hashing/embedder.ts";
import { operation } from "../support/model/operations.ts";
import {
  newTally,
  type RunOptions,
  runOperations,
  shrinkingAtMost,
  testedPorts,
} from "../support/model/run.ts";
import type { Stores } from "../support/reference/backend.ts";
import { COUNTS } from "../support/scale.ts";
import { freshScope, type StoreUnderTest, useStore, VECTOR_DIMENSION } from "./store-under-test.ts";

/** Operations in one run: few enough that a failing run shrinks to a list that can be read. */
const OPERATIONS = 200;

/**
 * What all stores of a backend promise together: whatever two tenants ask of them in whatever order, over restarts,
 * they answer as the reference does. A failure prints the seed and the shortest list of operations that shows it.
 */
export function randomOperationsContract(name: string, open: () => Promise<StoreUnderTest<Stores>>): void {
  describe(`random operations, ${name}`, () => {
    const subject = useStore(open);
    const runs = COUNTS.portRuns;

    it(`answers ${runs} random runs as the reference does`, async () => {
      const tally = newTally();
      const opened = { stores: () => subject.store, restart: () => subject.reopen() };
      await fc.assert(
        fc.asyncProperty(
          fc.array(operation({ ports: true }), { minLength: 1, maxLength: OPERATIONS, size: "max" }),
          shrinkingAtMost(500, async (operations) => {
            const { tenant } = freshScope();
            const options: RunOptions = {
              embedder: createHashingEmbedder(VECTOR_DIMENSION),
              cache: {
                maxEntries: 5,
                defaultTtlMs: 3_600_000,
                similarityThreshold: 0.85,
                alignedThreshold: 0.5,
              },
              tenantOf: (one) => `${tenant}-${one}`,
            };
            await runOperations(operations, testedPorts(opened, options), options, tally);
          }),
        ),
        { seed: 20260101, numRuns: runs, unbiased: true },
      );
      // Operations that are all refused, or rankings that cannot be compared, would prove nothing.
      expect(tally.operations).toBeGreaterThan(runs * 25);
      expect(tally.refused).toBeLessThan(tally.operations / 3);
      expect(tally.repeated).toBeGreaterThan(runs);
      expect(tally.comparableRankings).toBeGreaterThan(tally.rankings / 2);
      expect(tally.rankings).toBeGreaterThan(runs);
    });
  });
}
