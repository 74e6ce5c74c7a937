import fc from "fast-check";
import { afterAll, beforeAll, expect, it } from "vitest";
import { Compaction_State as State } from "#gen/recollect/v1/compaction_pb.js";
import type { Memory } from "#gen/recollect/v1/memory_pb.js";
import { scale } from "../support/scale.ts";
import { startApp, type TestApp } from "../support/start-app.ts";

const RUNS = scale(20, 200);
const TIMEOUT_MS = 10 * 60_000;

let app: TestApp;
beforeAll(async () => {
  app = await startApp();
});
afterAll(() => app[Symbol.asyncDispose]());

/** Few words, so that texts are equal, alike, newer values of others, or about the same topic. */
const text = fc
  .tuple(
    fc.constantFrom("Ana", "The team"),
    fc.constantFrom("likes", "pays", "does not like"),
    fc.constantFrom("green tea", "30 euros", "40 euros"),
    fc.constantFrom(".", " .", "!", " since 2 May 2025."),
  )
  .map((parts) => parts.join(" ").replace(/ (?=[.!])/g, ""));

const memory = fc.record({
  text,
  userId: fc.constantFrom("ana", "ben", ""),
  agentId: fc.constantFrom("", "", "agent"),
  sessionId: fc.constantFrom("", "s1"),
  kind: fc.constantFrom(0, 1, 2, 3, 4),
  importance: fc.constantFrom(0.1, 0.5, 0.9),
  pinned: fc.oneof({ weight: 9, arbitrary: fc.constant(false) }, { weight: 1, arbitrary: fc.constant(true) }),
  tags: fc.subarray(["a", "b", "c"]),
  day: fc.constantFrom(null, null, null, 0, 100, 400),
});

const store = fc.array(memory, { minLength: 20, maxLength: 60, size: "max" });
const policy = fc.record({
  strategy: fc.constantFrom(1, 2, 3, 4),
  level: fc.constantFrom(1, 2, 3),
  maxAffectedFraction: fc.constantFrom(0, 1),
});

async function exported(namespace: string): Promise<Memory[]> {
  const memories: Memory[] = [];
  for await (const { memory: one } of app.memory.exportMemories({ namespace })) if (one) memories.push(one);
  return memories;
}

async function compact(namespace: string, overrides: object) {
  const all = { keepRecent: { seconds: 0n }, keepImportant: { seconds: 0n }, ...overrides };
  const { compaction } = await app.compaction.startCompaction({ namespace, overrides: all });
  const id = compaction?.id ?? "";
  const watched = await Array.fromAsync(app.compaction.watchCompaction({ namespace, id }));
  const run = watched.at(-1)?.compaction;
  expect(run?.state).toBe(State.SUCCEEDED);
  return { id, affected: run?.affectedCount ?? 0, dropped: run?.droppedGroupCount ?? 0 };
}

let stores = 0;
const seen = { affected: 0, unchanged: 0 };

it(
  "undo restores the export of any store byte for byte, and a second run changes nothing",
  async () => {
    await fc.assert(
      fc.asyncProperty(store, policy, async (memories, overrides) => {
        const namespace = `random-${stores++}`;
        const drafts = memories.map(({ day, ...rest }, index) => ({
          ...rest,
          id: `m${index}`,
          ...(day === null ? {} : { eventTime: { seconds: BigInt(1_700_000_000 + 86_400 * day) } }),
        }));
        for (const draft of drafts) {
          await app.memory.createMemory({ namespace, memory: draft, onDuplicate: 2 });
        }
        const before = await exported(namespace);
        const first = await compact(namespace, overrides);
        expect(first.dropped).toBe(0);
        seen.affected += first.affected;
        if (first.affected === 0) seen.unchanged += 1;
        const after = await exported(namespace);
        // Each memory is readable itself or by what has taken its place, and no user has another one's.
        const byId = new Map(after.map((one) => [one.id, one]));
        for (const one of after) {
          const replacement = one.supersededBy === "" ? undefined : byId.get(one.supersededBy);
          if (one.state === 2) expect(replacement?.userId).toBe(one.userId);
        }
        if (overrides.maxAffectedFraction === 1) {
          const second = await compact(namespace, overrides);
          expect(second.affected).toBe(0);
          expect(await exported(namespace)).toEqual(after);
        }
        if (first.affected > 0) {
          const { conflictIds, compaction } = await app.compaction.undoCompaction({
            namespace,
            id: first.id,
          });
          expect(conflictIds).toEqual([]);
          expect(compaction?.state).toBe(State.UNDONE);
        }
        expect(await exported(namespace)).toEqual(before);
        await app.memory.deleteNamespace({ namespace, force: true });
      }),
      { numRuns: RUNS, seed: 20_261_201 },
    );
    expect(seen.affected).toBeGreaterThan(RUNS);
    expect(seen.unchanged).toBeLessThan(RUNS);
  },
  TIMEOUT_MS,
);
