import { openLexicon } from "../../src/adapters/lexicon/lexicon-file.ts";
import { planCompaction } from "../../src/domain/compaction/plan.ts";
import type { CompactionPlan, RefusalReason } from "../../src/domain/compaction/plan-types.ts";
import { DEFAULT_POLICY } from "../../src/domain/compaction/policy.ts";
import type { CompactionLevel } from "../../src/domain/compaction/run.ts";
import type { DuplicateThresholds } from "../../src/domain/compaction/thresholds.ts";
import { etagOf, type Memory } from "../../src/domain/memory/memory.ts";
import { type LabelledMemory, labelOf, type MemoryGroup, type PairLabel } from "./memory-groups.ts";
import type { Embed } from "./nearest-intent.ts";

const LEXICON = await openLexicon();

/** What a run did with a pair: one was merged into the other, or replaced by it, or both stay. */
type Outcome = "merge" | "supersede" | "keep";

/** A labelled pair, and what a run did with it. */
export interface PairOutcome {
  readonly group: MemoryGroup;
  readonly first: LabelledMemory;
  readonly second: LabelledMemory;
  readonly label: PairLabel;
  readonly outcome: Outcome;
  readonly similarity: number;
  /** Why both stay. */
  readonly reasons: readonly (RefusalReason | "BELOW_THRESHOLD")[];
}

/** The vectors of each group, in the order of its memories, at unit length. */
export async function embedGroups(embed: Embed, groups: readonly MemoryGroup[]): Promise<Float32Array[][]> {
  const vectors = await embed(groups.flatMap(({ memories }) => memories.map(({ text }) => text)));
  let from = 0;
  return groups.map(({ memories }) => {
    const own = vectors.slice(from, from + memories.length);
    from += memories.length;
    return own;
  });
}

/** Compacts each group by itself, as a namespace, with the code of the service. */
export function outcomesOf(
  groups: readonly MemoryGroup[],
  vectors: readonly (readonly Float32Array[])[],
  level: CompactionLevel,
  thresholds: DuplicateThresholds | undefined,
): PairOutcome[] {
  return groups.flatMap((group, at) => pairsOf(group, vectors[at] ?? [], level, thresholds));
}

function pairsOf(
  group: MemoryGroup,
  vectors: readonly Float32Array[],
  level: CompactionLevel,
  thresholds: DuplicateThresholds | undefined,
): PairOutcome[] {
  const found: { one: LabelledMemory; other: LabelledMemory; similarity: number }[] = [];
  for (const [at, one] of group.memories.entries()) {
    for (const other of group.memories.slice(at + 1)) {
      found.push({ one, other, similarity: cosine(vectors[at], vectors[other.at]) });
    }
  }
  const plan = planCompaction({
    memories: group.memories.map(memoryOf),
    pairs: found.map(({ one, other, similarity }) => ({ one: idOf(one), other: idOf(other), similarity })),
    policy: { ...DEFAULT_POLICY, strategy: "DEDUP", level, keepRecentMs: 0, keepImportantMs: 0 },
    thresholds,
    retention: () => 1,
    countTokens: (text) => text.split(/\s+/).length,
    lexicon: LEXICON,
    now: Date.UTC(2027, 0, 1),
  });
  return found.map(({ one, other, similarity }) => {
    const { label, first, second } = labelOf(one, other);
    return { group, first, second, label, similarity, ...outcomeOf(plan, first, second) };
  });
}

function outcomeOf(
  plan: CompactionPlan,
  first: LabelledMemory,
  second: LabelledMemory,
): Pick<PairOutcome, "outcome" | "reasons"> {
  const [one, other] = [idOf(first), idOf(second)];
  for (const { action, members, survivor } of plan.groups) {
    const ids = members.map(({ id }) => id);
    const all = [...ids, survivor?.id];
    if (!all.includes(one) || !all.includes(other)) continue;
    // Both replaced by the same third one: together as far as the pair is concerned.
    const isBoth = ids.includes(one) && ids.includes(other);
    if (action === "MERGE" || isBoth) return { outcome: "merge", reasons: [] };
    if (action === "SUPERSEDE") return { outcome: "supersede", reasons: [] };
  }
  const refusal = plan.refusals.find(
    (pair) => [pair.one, pair.other].includes(one) && [pair.one, pair.other].includes(other),
  );
  return { outcome: "keep", reasons: refusal?.reasons ?? ["BELOW_THRESHOLD"] };
}

function idOf({ at }: LabelledMemory): string {
  return `memory-${at}`;
}

function memoryOf(labelled: LabelledMemory): Memory {
  const content = {
    id: idOf(labelled),
    text: labelled.text,
    kind: "SEMANTIC" as const,
    userId: "user",
    agentId: "",
    sessionId: "",
    role: "",
    author: "",
    tags: [],
    metadata: {},
    importance: 0.5,
    pinned: false,
    eventTime: labelled.time,
    createTime: labelled.time + labelled.at,
    updateTime: labelled.time,
    state: "ACTIVE" as const,
    supersededBy: "",
    sourceIds: [],
  };
  return {
    ...content,
    sessionPosition: 0,
    etag: etagOf(content),
    embedding: { state: "READY", provider: "", model: "", dimension: 0, truncated: false },
  };
}

function cosine(one: Float32Array | undefined, other: Float32Array | undefined): number {
  let sum = 0;
  for (const [at, value] of (one ?? []).entries()) sum += value * (other?.[at] ?? 0);
  return sum;
}

/** How a run did on labelled pairs. */
export interface CompactionFigures {
  readonly pairs: Readonly<Record<PairLabel, number>>;
  /** Pairs that say the same and became one. */
  readonly merged: number;
  /** Look-alikes of which one was merged into the other; and those of which one was superseded. */
  readonly wrongMerges: number;
  readonly wrongSupersessions: number;
  /** Updates of which the older was superseded; and those that became one memory as if they said the same. */
  readonly superseded: number;
  readonly updatesMerged: number;
  /** Pairs that say the same, of which one was superseded. */
  readonly duplicatesSuperseded: number;
}

export function figuresOf(outcomes: readonly PairOutcome[]): CompactionFigures {
  const count = (label: PairLabel, outcome: Outcome): number =>
    outcomes.filter((pair) => pair.label === label && pair.outcome === outcome).length;
  const total = (label: PairLabel): number => outcomes.filter((pair) => pair.label === label).length;
  return {
    pairs: { merge: total("merge"), supersede: total("supersede"), keep: total("keep") },
    merged: count("merge", "merge"),
    wrongMerges: count("keep", "merge"),
    wrongSupersessions: count("keep", "supersede"),
    superseded: count("supersede", "supersede"),
    updatesMerged: count("supersede", "merge"),
    duplicatesSuperseded: count("merge", "supersede"),
  };
}
