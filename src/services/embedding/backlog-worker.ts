import type { EmbeddingBacklog } from "../../ports/embedding/backlog.ts";
import { type EmbeddingWorker, type EmbeddingWorkerPorts, startEmbeddingWorker } from "./embedding-worker.ts";

export interface BacklogWorkerPorts
  extends Pick<EmbeddingWorkerPorts, "embedder" | "clock" | "sleep" | "random" | "log"> {
  readonly backlog: Omit<EmbeddingBacklog, "refused">;
}

/**
 * Starts to give pending memories their vectors, the oldest first, and goes on whenever a write adds some, one that was
 * postponed is due, or the provider has recovered.
 */
export function startBacklogWorker({ backlog, ...ports }: BacklogWorkerPorts): EmbeddingWorker {
  const worker = startEmbeddingWorker({
    ...ports,
    queue: backlog,
    // The refusal may have been one of a provider that was set up in another way.
    begin: () => backlog.retryRefused(),
    afterStep: async (worked) => (worked ? "GO_ON" : { idleUntil: (await backlog.state()).nextTime }),
  });
  backlog.onAdded(() => worker.added());
  return worker;
}
