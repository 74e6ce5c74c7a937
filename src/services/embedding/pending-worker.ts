import type { PendingMemoryQueue } from "../../ports/embedding/pending-memory-queue.ts";
import { type EmbeddingWorker, type EmbeddingWorkerPorts, startEmbeddingWorker } from "./embedding-worker.ts";

export interface PendingWorkerPorts
  extends Pick<EmbeddingWorkerPorts, "embedder" | "clock" | "sleep" | "random" | "log"> {
  readonly pendingMemories: Omit<PendingMemoryQueue, "refused">;
}

/**
 * Starts to embed pending memories, the oldest first; it resumes whenever a write adds one, a postponed one is due, or the
 * provider has recovered.
 */
export function startPendingWorker({ pendingMemories, ...ports }: PendingWorkerPorts): EmbeddingWorker {
  const worker = startEmbeddingWorker({
    ...ports,
    queue: pendingMemories,
    // Refused texts are tried again: the provider may have been configured differently.
    begin: () => pendingMemories.retryRefused(),
    afterStep: async (worked) =>
      worked ? "CONTINUE" : { idleUntil: (await pendingMemories.state()).nextTime },
  });
  pendingMemories.onAdded(() => worker.added());
  return worker;
}
