import { createHashingEmbedder } from "../../src/adapters/hashing/embedder.ts";
import { openLexicon } from "../../src/adapters/lexicon/lexicon-file.ts";
import {
  leastSimilarity,
  type PlanningTools,
  planUser,
  UserMemories,
} from "../../src/adapters/planning/plan-user.ts";
import { checkSummary, extract } from "../../src/adapters/planning/summaries.ts";
import { countO200k } from "../../src/adapters/tokens/o200k.ts";
import { ROLES, type Role } from "../../src/domain/access/tenancy.ts";
import type { CompactionPolicy } from "../../src/domain/compaction/run.ts";
import { mergedFields } from "../../src/domain/compaction/survivor.ts";
import { EVERY_STATE } from "../../src/domain/memory/filter.ts";
import { indexedText, type Memory, recordOf } from "../../src/domain/memory/memory.ts";
import type { Planner } from "../../src/ports/compaction/planner.ts";
import type { CompactionMetrics } from "../../src/ports/metrics.ts";
import type { CallContext } from "../../src/services/call.ts";
import { executeRun } from "../../src/services/compaction/execute-run.ts";
import type { CompactionPorts } from "../../src/services/compaction/ports.ts";
import { DAY, NOW, newMemory } from "./builders.ts";
import { referenceStores } from "./reference/backend.ts";
import { unboundedWork } from "./unbounded-work.ts";

/** The namespace of all tests of compactions. */
export const PLACE = { tenant: "t", namespace: "default" };

/** Of a run that everything may happen in: no memory is recent, half of them may change. */
export const ANY_AGE: CompactionPolicy = {
  strategy: "HYBRID",
  level: "MODERATE",
  ...{ keepRecentMs: 0, keepImportantMs: 0, minImportance: 0.3, maxAffectedFraction: 0.5 },
};

let tools: PlanningTools | undefined;

/** The planner of the server, in this thread. */
export async function inlinePlanner(): Promise<Planner> {
  tools ??= { lexicon: await openLexicon(), countTokens: countO200k };
  const all = tools;
  return {
    compares: (model, policy) => leastSimilarity(model, policy) !== undefined,
    plan: async (pages, rules) => {
      const user = new UserMemories();
      for await (const page of pages) user.add(page);
      return planUser(user, rules, all);
    },
    checkSummary: async (answer, sources) => checkSummary(answer, sources, all),
    extract: async (sources) => extract(sources, all),
  };
}

/** Counts by action and reason. */
export interface RecordedMetrics extends CompactionMetrics {
  readonly memories: ReadonlyMap<string, number>;
  readonly ended: readonly string[];
  readonly answers: readonly string[];
}

export function recordingMetrics(): RecordedMetrics {
  const memories = new Map<string, number>();
  const ended: string[] = [];
  const answers: string[] = [];
  return {
    ...{ memories, ended, answers },
    compactedMemories: (action, reason, count) => {
      const key = `${action} ${reason}`;
      memories.set(key, (memories.get(key) ?? 0) + count);
    },
    compactionEnded: (state) => void ended.push(state),
    compactionPhase: () => undefined,
    compactionModelTokens: () => undefined,
    compactionModelAnswer: (outcome) => void answers.push(outcome),
    observeCompactions: () => () => undefined,
  };
}

/** The use cases of compactions on the reference store. */
export async function compactionWorld(changed: Partial<CompactionPorts> = {}) {
  const stores = referenceStores();
  const embedder = createHashingEmbedder(64);
  const metrics = recordingMetrics();
  let made = 0;
  let now = NOW;
  const continued: string[] = [];
  const ports = {
    store: stores.compactions,
    memories: stores.memories,
    embedder,
    embeddingWaitMs: 1000,
    work: unboundedWork,
    planner: await inlinePlanner(),
    merge: mergedFields,
    summarizer: undefined,
    settings: {
      enabled: true,
      policy: ANY_AGE,
      checkIntervalMs: DAY,
      maxChanges: 1000,
      undoMs: 7 * DAY,
      purgeAfterMs: undefined,
    },
    metrics,
    clock: { now: () => now },
    ids: { next: () => `id-${String(made++).padStart(4, "0")}` },
    sleep: () => Promise.resolve(),
    log: { warn: () => undefined },
    continueRun: (_: unknown, id: string) => void continued.push(id),
    ...changed,
  } satisfies CompactionPorts & { readonly continueRun: unknown };

  return {
    ports,
    stores,
    metrics,
    /** Ids of runs that a worker was asked to continue. */
    continued,
    advance: (milliseconds: number) => {
      now += milliseconds;
    },
    /** Stores memories with their vectors. */
    remember: async (...memories: readonly Partial<Memory>[]): Promise<void> => {
      for (const given of memories) {
        const write = newMemory({ createTime: NOW - 30 * DAY, updateTime: NOW - 30 * DAY, ...given });
        const [embedded] = await embedder.embed([indexedText(write.memory)], new AbortController().signal);
        const embedding = { ...embedder.identity, state: "READY" as const, truncated: false };
        const memory = { ...write.memory, embedding };
        const vector = embedded?.vector;
        const item = {
          ...write,
          memory,
          onDuplicate: "ALLOW" as const,
          ...(vector === undefined ? {} : { vector }),
        };
        await stores.memories.writer.create(PLACE, [item], { now });
      }
    },
    memory: async (id: string): Promise<Memory | undefined> => {
      const [found] = await stores.memories.reader.get(PLACE, [id], now);
      return found && recordOf(found);
    },
    /** All memories in any state, as an export has them. */
    everything: (): Promise<Memory[]> =>
      stores.memories.exporter.listOldest(PLACE, {
        filter: EVERY_STATE,
        limit: 10_000,
        maxBytes: 2 ** 30,
        now,
      }),
    /** Works on a run as a worker does. */
    execute: (id: string, owner = "worker", signal = new AbortController().signal) =>
      executeRun(ports, { namespaceKey: PLACE, id }, owner, signal),
  };
}

export type CompactionWorld = Awaited<ReturnType<typeof compactionWorld>>;

/** A call without a deadline. */
export function callBy(roles: readonly Role[] = ROLES, signal = new AbortController().signal): CallContext {
  return {
    caller: { tenant: PLACE.tenant, principal: "p", roles: new Set(roles), debug: false },
    signal,
    arrival: 0,
    deadline: Number.POSITIVE_INFINITY,
  };
}
