import type { PendingMemoryQueue } from "../../ports/embedding/pending-memory-queue.ts";
import { type EmbeddingWorker, type EmbeddingWorkerPorts, startEmbeddingWorker } from "./embedding-worker.ts";

export interface PendingWorkerPorts
  extends Pick<EmbeddingWorkerPorts, "embedder" | "clock" | "sleep" | "random" | "log"> {
  readonly pendingMemories: Omit<PendingMemoryQueue, "refused">;
}

/**
 * Starts to give pending memories their vectors, the oldest first, and goes on whenever a write adds some, one that was
 * postponed is due, or the provider has recovered.
 */
export function startPendingWorker({ pendingMemories, ...ports }: PendingWorkerPorts): EmbeddingWorker {
  const worker = startEmbeddingWorker({
    ...ports,
    queue: pendingMemories,
    // The refusal may have been one of a provider that was set up in another way.
    begin: () => pendingMemories.retryRefused(),
    afterStep: async (worked) => (worked ? "GO_ON" : { idleUntil: (await pendingMemories.state()).nextTime }),
  });
  pendingMemories.onAdded(() => worker.added());
  return worker;
}
