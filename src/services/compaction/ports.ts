import type { SurvivorFields } from "../../domain/compaction/apply-group.ts";
import type { Memory } from "../../domain/memory/memory.ts";
import type { Clock } from "../../ports/clock.ts";
import type { CompactionStore } from "../../ports/compaction/compaction-store.ts";
import type { Planner } from "../../ports/compaction/planner.ts";
import type { Embedder } from "../../ports/embedding/embedder.ts";
import type { Ids } from "../../ports/ids.ts";
import type { Log } from "../../ports/log.ts";
import type { Memories } from "../../ports/memory/memories.ts";
import type { CompactionMetrics } from "../../ports/metrics.ts";
import type { Sleep } from "../../ports/sleep.ts";
import type { Summarizer } from "../../ports/summarizer.ts";
import type { WorkQueue } from "../../ports/work-queue.ts";
import type { PlanPorts } from "./plan-run.ts";
import type { CompactionSettings } from "./settings.ts";

/** The ports of all use cases of CompactionService and of the work in the background. */
export interface CompactionPorts {
  readonly store: CompactionStore;
  readonly memories: Pick<Memories, "reader" | "exporter" | "search">;
  /** Undefined: vector search is switched off. */
  readonly embedder: Embedder | undefined;
  readonly embeddingWaitMs: number;
  readonly work: WorkQueue;
  readonly planner: Planner;
  /** The fields of a survivor with what the members carry. */
  readonly merge: (survivor: Memory, members: readonly Memory[]) => SurvivorFields;
  readonly summarizer: Summarizer | undefined;
  readonly settings: CompactionSettings;
  readonly metrics: CompactionMetrics;
  readonly clock: Clock;
  readonly ids: Ids;
  readonly sleep: Sleep;
  readonly log: Log;
}

export function planPorts(ports: CompactionPorts): PlanPorts {
  return { ...ports, now: () => ports.clock.now() };
}
