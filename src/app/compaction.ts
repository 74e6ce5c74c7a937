import { createThreadPlanner } from "../adapters/planning/thread-planner.ts";
import type { Config } from "../config/config.ts";
import { mergedFields } from "../domain/compaction/survivor.ts";
import type { Backend } from "../ports/backend.ts";
import type { Clock } from "../ports/clock.ts";
import type { Ids } from "../ports/ids.ts";
import type { Log } from "../ports/log.ts";
import type { CompactionMetrics } from "../ports/metrics.ts";
import type { Sleep } from "../ports/sleep.ts";
import type { Summarizer } from "../ports/summarizer.ts";
import type { WorkQueue } from "../ports/work-queue.ts";
import { CompactionOverviews } from "../services/compaction/overview.ts";
import type { CompactionPorts } from "../services/compaction/ports.ts";
import { CompactionScheduler } from "../services/compaction/scheduler.ts";
import type { CompactionSettings } from "../services/compaction/settings.ts";
import { CompactionWorker } from "../services/compaction/worker.ts";
import type { WriteEmbedder } from "../services/embedding/embed-for-write.ts";

export interface CompactionParts extends WriteEmbedder {
  readonly backend: Pick<Backend, "compactions" | "memories">;
  readonly work: WorkQueue;
  readonly clock: Clock;
  readonly ids: Ids;
  readonly metrics: CompactionMetrics;
  readonly log: Log;
  /** Of the worker and the scheduler. */
  readonly sleep: Sleep;
  /** Replaces the configured one. */
  readonly summarizer: Summarizer | undefined;
}

/** The use cases' ports, with the worker that continues runs. */
export type Compaction = CompactionPorts & Pick<CompactionWorker, "continueRun">;

/**
 * Starts the worker of compactions and their scheduler. They write to the backend, so `resources` must close it after them.
 */
export async function startCompaction(
  { compaction }: Config,
  parts: CompactionParts,
  resources: AsyncDisposableStack,
): Promise<Compaction> {
  const { backend, metrics, clock } = parts;
  const ports: CompactionPorts = {
    ...parts,
    store: backend.compactions,
    memories: backend.memories,
    planner: resources.use(createThreadPlanner()),
    merge: mergedFields,
    summarizer: parts.summarizer ?? (await openSummarizer(compaction, resources)),
    settings: settingsOf(compaction),
  };
  const random = Math.random;
  const worker = resources.use(new CompactionWorker({ ...ports, random }));
  resources.use(new CompactionScheduler({ ...ports, worker, random }));
  const overviews = new CompactionOverviews(backend.compactions, clock);
  resources.defer(metrics.observeCompactions(() => overviews.read()));
  return { ...ports, continueRun: (namespaceKey, id) => worker.continueRun(namespaceKey, id) };
}

function settingsOf(compaction: Config["compaction"]): CompactionSettings {
  return {
    enabled: compaction.enabled,
    policy: {
      strategy: compaction.strategy,
      level: compaction.level,
      keepRecentMs: compaction.keepRecentMs,
      keepImportantMs: compaction.keepImportantMs,
      minImportance: compaction.minImportance,
      maxAffectedFraction: compaction.maxAffectedFraction,
    },
    checkIntervalMs: compaction.checkIntervalMs,
    maxChanges: compaction.maxChanges,
    undoMs: compaction.undoMs,
    purgeAfterMs: compaction.purgeAfterMs === 0 ? undefined : compaction.purgeAfterMs,
  };
}

async function openSummarizer(
  { llm }: Config["compaction"],
  resources: AsyncDisposableStack,
): Promise<Summarizer | undefined> {
  const { model, apiBase, apiKey = "", apiVersion = "" } = llm;
  if (model === undefined) return undefined;
  // Imported only when it is used: the client takes a fifth of a second and 40 MB.
  const { createOpenAiSummarizer } = await import("../adapters/openai/summarizer.ts");
  return resources.use(createOpenAiSummarizer({ model, apiBase, apiKey, apiVersion }));
}
