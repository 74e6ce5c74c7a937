import type { NamespaceKey } from "../../domain/access/tenancy.ts";
import type { CompactionGroup } from "../../domain/compaction/group.ts";
import type { CompactionPolicy } from "../../domain/compaction/run.ts";
import { summaryId } from "../../domain/compaction/summary-draft.ts";
import { ModelChanged } from "../../domain/embedding/identity.ts";
import { recordOf, type StoredMemory } from "../../domain/memory/memory.ts";
import {
  type PlannedGroup,
  type PlannedPage,
  type PlannedUser,
  type Planner,
  PlannerOutOfMemory,
} from "../../ports/compaction/planner.ts";
import type { Embedder, EmbedderIdentity } from "../../ports/embedding/embedder.ts";
import type { CandidateSearch } from "../../ports/memory/search.ts";
import type { CompactionMetrics, CompactionPhase } from "../../ports/metrics.ts";
import { type SelectPorts, selectMemories, type UserMemories } from "./select-memories.ts";
import type { Steps } from "./steps.ts";
import { modelSummary, type SummaryPorts } from "./summaries.ts";

export interface PlanPorts extends SummaryPorts {
  readonly memories: SelectPorts["memories"] & { readonly search: CandidateSearch };
  /** Undefined: vector search is switched off. */
  readonly embedder: Pick<Embedder, "identity"> | undefined;
  readonly planner: Planner;
  readonly metrics: CompactionMetrics;
  readonly now: () => number;
}

/** What is planned. */
export interface PlannedScope {
  readonly namespaceKey: NamespaceKey;
  /** Undefined: every user. */
  readonly userId?: string;
  readonly policy: CompactionPolicy;
  /** The id of the run. */
  readonly id: string;
}

/** Memories with long texts count so many times. */
const LONG_TEXTS = 16;

/** The plan for one user. */
export interface UserPlan {
  readonly examined: number;
  /** Memories that would leave default reads too, but for the limit of a run. */
  readonly deferred: number;
  /** Of all active memories of the user. */
  readonly tokens: number;
  /** With numbers that follow those of the plans before. */
  readonly groups: readonly CompactionGroup[];
}

/**
 * Plans a run, user by user: select, find near memories, decide, summarise. What it reads may change while it plans: the
 * etags in the plan say which versions it is about.
 */
export async function* planRun(
  ports: PlanPorts,
  scope: PlannedScope,
  steps: Steps,
): AsyncGenerator<UserPlan> {
  const { namespaceKey, userId } = scope;
  let number = 0;
  for await (const user of selectMemories(ports, namespaceKey, userId, steps)) {
    const plan = await planUser(ports, scope, user, number, steps);
    number += plan.groups.length;
    if (plan.examined > 0) yield plan;
  }
}

async function planUser(
  ports: PlanPorts,
  { namespaceKey, policy, id }: PlannedScope,
  { count, pages }: UserMemories,
  numbered: number,
  steps: Steps,
): Promise<UserPlan> {
  const model = ports.embedder?.identity;
  const compared = model !== undefined && ports.planner.compares(model, policy) ? model : undefined;
  const now = ports.now();
  const plan = (expected: number): Promise<PlannedUser> =>
    timed(ports, "decide", () =>
      ports.planner.plan(
        withVectors(ports, namespaceKey, pages(), compared, steps),
        { policy, model, now, expected },
        steps.signal,
      ),
    );
  const { groups, ...user } = await plan(count).catch((error: unknown) => {
    // Their texts are long.
    if (error instanceof PlannerOutOfMemory) return plan(LONG_TEXTS * count);
    throw error;
  });
  const planned: CompactionGroup[] = [];
  for (const group of groups) {
    const number = numbered + planned.length + 1;
    planned.push({
      ...(await summarized(ports, namespaceKey, group, { id, number, policy }, steps)),
      number,
      state: "PLANNED",
    });
  }
  return { ...user, groups: planned };
}

/** Pages with the vectors of what may have duplicates or topics: not of messages. `model` undefined: without vectors. */
async function* withVectors(
  { memories: { search } }: PlanPorts,
  namespaceKey: NamespaceKey,
  pages: AsyncIterable<readonly StoredMemory[]>,
  model: EmbedderIdentity | undefined,
  steps: Steps,
): AsyncGenerator<PlannedPage> {
  let isComparable = model !== undefined;
  for await (const memories of pages) {
    const vectors = new Map<string, Float32Array | undefined>();
    const ids = memories.filter(({ kind }) => kind !== "MESSAGE").map(({ id }) => id);
    try {
      const read = isComparable
        ? await steps.run("READ", () => search.vectors(namespaceKey, ids, model))
        : [];
      for (const [at, vector] of read.entries()) vectors.set(ids[at] ?? "", vector);
    } catch (error) {
      if (!(error instanceof ModelChanged)) throw error;
      // A re-embedding has just finished: the rest is compared by the next run.
      isComparable = false;
    }
    yield { memories, vectors: memories.map(({ id }) => vectors.get(id)) };
  }
}

/** The group with its summary: by the language model where that is allowed and succeeds, else the planned extract. */
async function summarized(
  ports: PlanPorts,
  namespaceKey: NamespaceKey,
  { summary, ...group }: PlannedGroup,
  run: { readonly id: string; readonly number: number; readonly policy: CompactionPolicy },
  steps: Steps,
): Promise<Omit<CompactionGroup, "number" | "state">> {
  if (summary === undefined) return group;
  const id = summaryId(run.id, run.number);
  const extract = { ...group, summary: { id, text: summary.text } };
  if (run.policy.level === "LIGHT" || ports.summarizer === undefined) return extract;
  const ids = group.members.map((member) => member.id);
  const read = await steps.run("READ", () => ports.memories.reader.get(namespaceKey, ids, ports.now()));
  const sources = read.flatMap((memory) => (memory === undefined ? [] : [recordOf(memory)]));
  const maxTokens = Math.floor(group.tokensBefore / 2);
  const made = await timed(ports, "summarize", () => modelSummary(ports, sources, maxTokens, steps.signal));
  return made === undefined
    ? extract
    : { ...group, summary: { id, text: made.text }, tokensAfter: made.tokens };
}

async function timed<T>(
  { metrics }: Pick<PlanPorts, "metrics">,
  phase: CompactionPhase,
  work: () => Promise<T>,
): Promise<T> {
  const start = performance.now();
  try {
    return await work();
  } finally {
    metrics.compactionPhase(phase, performance.now() - start);
  }
}
