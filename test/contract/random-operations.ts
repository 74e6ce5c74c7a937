import { describe, expect, it } from "vitest";
import { createHashingEmbedder } from "../../src/adapters/hashing/embedder.ts";
import { newRunCounts, type RunOptions, runOperations, testedPorts } from "../support/model/run.ts";
import { runRandomly } from "../support/model/shorten.ts";
import type { Stores } from "../support/reference/backend.ts";
import { COUNTS } from "../support/scale.ts";
import {
  freshNamespaceKey,
  MAX_REVISIONS,
  type StoreUnderTest,
  useStore,
  VECTOR_DIMENSION,
} from "./store-under-test.ts";

/**
 * The contract of all stores of a backend together: for any requests of two tenants in any order, over restarts,
 * they answer as the reference does. A failure prints the seed and the shortest list of operations that shows it.
 */
export function randomOperationsContract(name: string, open: () => Promise<StoreUnderTest<Stores>>): void {
  describe(`random operations, ${name}`, () => {
    const subject = useStore(open);
    const runs = COUNTS.portRuns;

    it(`answers ${runs} random runs as the reference does`, async () => {
      const counts = newRunCounts();
      const opened = { stores: () => subject.store, restart: () => subject.reopen() };
      await runRandomly({ level: { ports: true }, runs, seed: 20260101 }, async (operations) => {
        const { tenant } = freshNamespaceKey();
        const options: RunOptions = {
          embedder: createHashingEmbedder(VECTOR_DIMENSION),
          cache: {
            maxEntries: 5,
            policy: "ADAPTIVE",
            defaultTtlMs: 3_600_000,
            similarityThreshold: 0.85,
            alignedThreshold: 0.5,
          },
          maxRevisions: MAX_REVISIONS,
          tenantOf: (one) => `${tenant}-${one}`,
        };
        await runOperations(operations, testedPorts(opened, options), options, counts);
      });
      // Operations that are all refused, or rankings that cannot be compared, would prove nothing.
      expect(counts.operations).toBeGreaterThan(runs * 25);
      expect(counts.refused).toBeLessThan(0.4 * counts.operations);
      expect(counts.replayed).toBeGreaterThan(runs);
      expect(counts.duplicates).toBeGreaterThan(runs);
      expect(counts.comparableRankings).toBeGreaterThan(counts.rankings / 2);
      expect(counts.rankings).toBeGreaterThan(runs);
      expect(counts.imported).toBeGreaterThan(runs * 5);
      expect(counts.changes).toBeGreaterThan(runs * 5);
      expect(counts.exported).toBeGreaterThan(runs * 5);
      expect(counts.restored).toBeGreaterThan(runs / 8);
      expect(counts.revisions).toBeGreaterThan(runs / 8);
    });
  });
}
