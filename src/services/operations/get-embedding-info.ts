import type { Breaker } from "../../domain/embedding/breaker.ts";
import type { Clock } from "../../ports/clock.ts";
import type { EmbedderIdentity, Urgency } from "../../ports/embedding/embedder.ts";
import type { ObservedEmbedder } from "../../ports/embedding/embedder-status.ts";
import type { PendingMemoryQueue, RefusedTexts } from "../../ports/embedding/pending-memory-queue.ts";
import type { Reembedding, ReembeddingStore } from "../../ports/embedding/reembedding-store.ts";

export interface GetEmbeddingInfoPorts {
  /** Undefined: vector search is switched off. */
  readonly embedder: { readonly identity: EmbedderIdentity } | undefined;
  readonly embedderStatus: () => ReturnType<ObservedEmbedder["status"]> | undefined;
  readonly reembedding: Pick<ReembeddingStore, "latest">;
  readonly pendingMemories: Pick<PendingMemoryQueue, "state" | "refused">;
  readonly clock: Clock;
}

/** The embedder, its state, and the pending memories. */
export interface EmbeddingInfo {
  readonly identity?: EmbedderIdentity;
  readonly breakers?: Readonly<Record<Urgency, Breaker>>;
  readonly pendingCount: number;
  readonly refused: RefusedTexts;
  /** The running one. */
  readonly reembedding?: Reembedding;
  readonly oldestPending?: { readonly time: number; readonly ageMs: number };
}

/** Refusals that are returned with their reasons. */
const LATEST_REFUSALS = 10;

/** Sends no request to the provider, so that it works while that is down. */
export async function getEmbeddingInfo(ports: GetEmbeddingInfoPorts): Promise<EmbeddingInfo> {
  const { embedder, pendingMemories, clock } = ports;
  const breakers = ports.embedderStatus();
  const reembedding = await ports.reembedding.latest();
  const { count, oldestTime } = await pendingMemories.state();
  return {
    ...(embedder === undefined ? {} : { identity: embedder.identity }),
    ...(breakers === undefined ? {} : { breakers }),
    ...(reembedding?.state === "RUNNING" ? { reembedding } : {}),
    pendingCount: count,
    refused: await pendingMemories.refused({ limit: LATEST_REFUSALS }),
    ...(oldestTime === undefined
      ? {}
      : { oldestPending: { time: oldestTime, ageMs: Math.max(0, clock.now() - oldestTime) } }),
  };
}
