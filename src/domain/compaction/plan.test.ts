import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { ENGLISH } from "../../../test/support/english.ts";
import { etagOf, isExpired, type Memory } from "../memory/memory.ts";
import { applyPlan } from "./outcome.ts";
import { type CandidatePair, type PlanInput, planCompaction } from "./plan.ts";
import type { CompactionPlan } from "./plan-types.ts";
import { DEFAULT_POLICY, maxAffected, partitionKey, protects } from "./policy.ts";
import { duplicateThresholds } from "./thresholds.ts";

const DAY = 86_400_000;
const NOW = Date.UTC(2026, 5, 1);
const MINILM = duplicateThresholds({ model: "all-MiniLM-L6-v2" });

/** Equal, reworded, contained, contradicting and updating texts; each may occur many times. */
const TEXTS = [
  "Ana is allergic to peanuts",
  "ana is allergic to  peanuts",
  "Ana has a peanut allergy",
  "Ana is allergic to peanuts, and she carries a pen for it",
  "Ana is allergic to cashews",
  "Ana is not allergic to peanuts",
  "The rent of the flat is 1,150 euros",
  "The rent of the flat is 1,230 euros",
  "The rent of the flat is 1,310 euros",
  "The rent of the garage is 95 euros",
  "Bianca lives in Turin",
  "Bianca now lives in Milan",
  "Bianca moved to Rome",
  "Ben completes the form on Mondays",
  "Ben finishes the form on Mondays",
  "Bought groceries for 48 euros",
  "Dieter works on Fridays",
  "Dieter no longer works on Fridays",
  "Am Montag kommt der Klempner",
  "ok",
];

interface Draft {
  readonly text: string;
  readonly kind: Memory["kind"];
  readonly userId: string;
  readonly agentId: string;
  readonly sessionId: string;
  readonly author: string;
  readonly tags: readonly string[];
  readonly importance: number;
  readonly pinned: boolean;
  readonly eventDay: number | undefined;
  readonly createDay: number;
  readonly expireDay: number | undefined;
  readonly metadata: Readonly<Record<string, string>>;
  readonly state: Memory["state"];
}

const mostly = <T>(usual: T, ...rare: T[]): fc.Arbitrary<T> =>
  fc.oneof(
    { arbitrary: fc.constant(usual), weight: 5 },
    { arbitrary: fc.constantFrom(usual, ...rare), weight: 1 },
  );

const draft: fc.Arbitrary<Draft> = fc.record({
  text: fc.constantFrom(...TEXTS),
  kind: fc.constantFrom<Memory["kind"]>("SEMANTIC", "SEMANTIC", "SEMANTIC", "MESSAGE", "EPISODIC", "SUMMARY"),
  userId: mostly("u1", "u2"),
  agentId: mostly("", "a1"),
  sessionId: mostly("s1", ""),
  author: mostly("", "Ana"),
  tags: fc.subarray(["a", "b", "c"]),
  importance: fc.constantFrom(0.1, 0.5, 0.8),
  pinned: mostly(false, true),
  eventDay: fc.option(fc.integer({ min: -200, max: 1 }), { nil: undefined }),
  createDay: fc.integer({ min: -200, max: 0 }),
  expireDay: mostly<number | undefined>(undefined, -1, 5),
  metadata: mostly<Readonly<Record<string, string>>>({}, { source: "x" }, { source: "y" }, { topic: "z" }),
  state: mostly<Memory["state"]>("ACTIVE", "SUPERSEDED", "ARCHIVED"),
});

function memoryOf(one: Draft, at: number): Memory {
  const { eventDay, createDay, expireDay, ...rest } = one;
  const content = {
    ...rest,
    id: `m${String(at).padStart(3, "0")}`,
    role: "",
    createTime: NOW + createDay * DAY,
    updateTime: NOW + createDay * DAY,
    ...(eventDay === undefined ? {} : { eventTime: NOW + eventDay * DAY }),
    ...(expireDay === undefined ? {} : { expireTime: NOW + expireDay * DAY }),
    supersededBy: "",
    sourceIds: [],
  };
  return {
    ...content,
    sessionPosition: at + 1,
    etag: etagOf(content),
    embedding: { state: "READY", provider: "", model: "", dimension: 0, truncated: false },
  };
}

/** A similarity that depends on the two texts alone, mostly high. */
function similarityOf(one: string, other: string, salt: number): number {
  if (one === other) return 1;
  let hash = salt;
  for (const letter of [one, other].sort().join("|")) hash = (hash * 31 + (letter.codePointAt(0) ?? 0)) >>> 0;
  return 0.45 + (hash % 1000) / 1820;
}

function pairsOf(memories: readonly Memory[], salt: number): CandidatePair[] {
  return memories.flatMap((one, at) =>
    memories.slice(at + 1).map((other) => ({
      one: one.id,
      other: other.id,
      similarity: similarityOf(one.text, other.text, salt),
    })),
  );
}

const retention = (memory: Memory): number => ((memory.createTime / DAY) % 10) / 10;
const countTokens = (text: string): number => text.split(/\s+/u).length;

interface Case {
  readonly memories: readonly Memory[];
  readonly salt: number;
  readonly policy: PlanInput["policy"];
}

const scope: fc.Arbitrary<Case> = fc
  .record({
    drafts: fc.array(draft, { maxLength: 40 }),
    salt: fc.nat(1000),
    strategy: fc.constantFrom("DEDUP", "DECAY", "SUMMARIZE", "HYBRID" as const),
    level: fc.constantFrom("LIGHT", "MODERATE", "AGGRESSIVE" as const),
    maxAffectedFraction: fc.constantFrom(0.1, 1),
    budgetTokens: fc.constantFrom(0, 40, 10_000),
  })
  .map(({ drafts, salt, ...policy }) => ({
    memories: drafts.map(memoryOf),
    salt,
    policy: { ...DEFAULT_POLICY, ...policy },
  }));

function inputOf({ memories, salt, policy }: Case, changes: Partial<PlanInput> = {}): PlanInput {
  return {
    memories,
    pairs: pairsOf(memories, salt),
    policy,
    thresholds: MINILM,
    retention,
    countTokens,
    lexicon: ENGLISH,
    now: NOW,
    ...changes,
  };
}

function applied(input: PlanInput, plan: CompactionPlan): Memory[] {
  let created = 0;
  return applyPlan(input.memories, plan, NOW, () => `summary-${NOW}-${created++}`);
}

const memberIds = (plan: CompactionPlan): string[] =>
  plan.groups.flatMap(({ members }) => members.map(({ id }) => id));

describe("planCompaction", () => {
  it("plans the same for the same input in any order", () => {
    fc.assert(
      fc.property(scope, fc.infiniteStream(fc.nat()), (one, order) => {
        const input = inputOf(one);
        const shuffled = <T>(values: readonly T[]): T[] =>
          values
            .map((value) => [order.next().value ?? 0, value] as const)
            .sort(([a], [b]) => a - b)
            .map(([, value]) => value);
        const other = { ...input, memories: shuffled(input.memories), pairs: shuffled(input.pairs) };
        const sorted = (plan: CompactionPlan): unknown => ({
          ...plan,
          refusals: [...plan.refusals].sort((a, b) => (a.one + a.other < b.one + b.other ? -1 : 1)),
        });
        expect(sorted(planCompaction(other))).toEqual(sorted(planCompaction(input)));
      }),
      { numRuns: 100 },
    );
  });

  it("does all that it can do to some of these memories", () => {
    const groups = fc
      .sample(scope, { numRuns: 1000, seed: 22 })
      .flatMap((one) => planCompaction(inputOf(one)).groups);
    expect([...new Set(groups.map(({ action, reason }) => `${action} ${reason}`))].sort()).toEqual([
      "ARCHIVE LOW_IMPORTANCE",
      "ARCHIVE LOW_RETENTION",
      "MERGE EQUAL_TEXT",
      "MERGE SAME_MEANING",
      "MERGE SAME_WORDS",
      "SUMMARIZE SUMMARIZED",
      "SUPERSEDE NEWER_VALUE",
    ]);
  });

  it("touches no protected memory, none of another state, and each once", () => {
    fc.assert(
      fc.property(scope, (one) => {
        const plan = planCompaction(inputOf(one));
        const byId = new Map(one.memories.map((memory) => [memory.id, memory]));
        const ids = memberIds(plan);
        expect(new Set(ids).size).toBe(ids.length);
        for (const { members, survivor } of plan.groups) {
          for (const { id, etag } of members) {
            const memory = byId.get(id);
            expect(memory).toMatchObject({ state: "ACTIVE", etag });
            if (memory !== undefined) {
              expect(protects(memory, one.policy, NOW)).toBeUndefined();
              expect(isExpired(memory, NOW)).toBe(false);
            }
          }
          const kept = byId.get(survivor?.id ?? "");
          if (survivor?.changes !== undefined && kept !== undefined)
            expect(protects(kept, one.policy, NOW)).toBeUndefined();
        }
      }),
      { numRuns: 150 },
    );
  });

  it("never mixes users, agents and kinds, and merges no message", () => {
    fc.assert(
      fc.property(scope, (one) => {
        const byId = new Map(one.memories.map((memory) => [memory.id, memory]));
        for (const { action, members, survivor, summary } of planCompaction(inputOf(one)).groups) {
          const ids = [...members.map(({ id }) => id), ...(survivor === undefined ? [] : [survivor.id])];
          const all = ids.flatMap((id) => byId.get(id) ?? []);
          expect(new Set(all.map(partitionKey)).size).toBe(1);
          const isMessage = all.some(({ kind }) => kind === "MESSAGE");
          if (isMessage) expect(["ARCHIVE", "SUMMARIZE"]).toContain(action);
          if (isMessage && action === "SUMMARIZE")
            expect(new Set(all.map(({ sessionId }) => sessionId)).size).toBe(1);
          if (summary !== undefined)
            expect(summary).toMatchObject({ userId: all[0]?.userId, agentId: all[0]?.agentId });
        }
      }),
      { numRuns: 300 },
    );
  });

  it("loses nothing: what is merged is in the survivor", () => {
    fc.assert(
      fc.property(scope, (one) => {
        const input = inputOf({ ...one, policy: { ...one.policy, strategy: "DEDUP" } });
        const plan = planCompaction(input);
        const after = new Map(applied(input, plan).map((memory) => [memory.id, memory]));
        const before = new Map(one.memories.map((memory) => [memory.id, memory]));
        for (const { action, members, survivor } of plan.groups) {
          if (action !== "MERGE") continue;
          const kept = after.get(survivor?.id ?? "");
          for (const { id } of members) {
            const gone = before.get(id);
            expect(after.get(id)).toMatchObject({
              state: "SUPERSEDED",
              supersededBy: survivor?.id,
              text: gone?.text,
            });
            expect(kept?.tags).toEqual(expect.arrayContaining([...(gone?.tags ?? [])]));
            expect(kept?.importance).toBeGreaterThanOrEqual(gone?.importance ?? 1);
            expect(kept?.metadata).toMatchObject(gone?.metadata ?? {});
            expect(kept?.expireTime ?? Number.POSITIVE_INFINITY).toBeGreaterThanOrEqual(
              gone?.expireTime ?? Number.POSITIVE_INFINITY,
            );
          }
        }
      }),
      { numRuns: 300 },
    );
  });

  it("keeps to its limit and counts what it does", () => {
    fc.assert(
      fc.property(scope, (one) => {
        const plan = planCompaction(inputOf(one));
        const counted = plan.groups;
        expect(plan.affected).toBe(counted.reduce((sum, { members }) => sum + members.length, 0));
        expect(plan.affected).toBeLessThanOrEqual(maxAffected(plan.examined, one.policy));
        expect(plan.counts.reduce((sum, { memories }) => sum + memories, 0)).toBe(memberIds(plan).length);
        expect(plan.tokensAfter).toBeLessThanOrEqual(plan.tokensBefore);
      }),
      { numRuns: 300 },
    );
  });

  it("has nothing left to do once its plan is applied", () => {
    fc.assert(
      fc.property(scope, (one) => {
        const input = inputOf({ ...one, policy: { ...one.policy, maxAffectedFraction: 1 } });
        const plan = planCompaction(input);
        const memories = applied(input, plan);
        const again = planCompaction(inputOf({ ...one, memories }, { policy: input.policy }));
        expect(again.groups.filter(() => plan.deferred === 0)).toEqual([]);
      }),
      { numRuns: 300 },
    );
  });

  it("merges equal texts only without thresholds, and says why", () => {
    fc.assert(
      fc.property(scope, (one) => {
        const plan = planCompaction(
          inputOf({ ...one, policy: { ...one.policy, strategy: "DEDUP" } }, { thresholds: undefined }),
        );
        for (const { reason } of plan.groups) expect(["EQUAL_TEXT"]).toContain(reason);
        for (const { reasons } of plan.refusals) expect(reasons).toEqual(["UNCALIBRATED"]);
      }),
      { numRuns: 100 },
    );
  });
});
