import type { Breaker } from "../../domain/embedding/breaker.ts";
import type { Clock } from "../../ports/clock.ts";
import type { EmbeddingBacklog, RefusedTexts } from "../../ports/embedding/backlog.ts";
import type { EmbedderIdentity, Urgency } from "../../ports/embedding/embedder.ts";
import type { ObservedEmbedder } from "../../ports/embedding/embedder-status.ts";
import type { Reembedding, ReembeddingStore } from "../../ports/embedding/reembedding-store.ts";

export interface GetEmbeddingInfoPorts {
  /** Undefined: vector search is switched off. */
  readonly embedder: { readonly identity: EmbedderIdentity } | undefined;
  readonly embedderStatus: () => ReturnType<ObservedEmbedder["status"]> | undefined;
  readonly reembedding: Pick<ReembeddingStore, "latest">;
  readonly backlog: Pick<EmbeddingBacklog, "state" | "refused">;
  readonly clock: Clock;
}

/** Which embedder makes the vectors, its state, and the pending memories. */
export interface EmbeddingInfo {
  readonly identity?: EmbedderIdentity;
  readonly breakers?: Readonly<Record<Urgency, Breaker>>;
  readonly backlogCount: number;
  readonly refused: RefusedTexts;
  /** The one under way. */
  readonly reembedding?: Reembedding;
  readonly oldestPending?: { readonly time: number; readonly ageMs: number };
}

/** Refusals that are answered with their reasons. */
const LATEST_REFUSALS = 10;

/** Asks the provider nothing, so that it answers when that is down. */
export async function getEmbeddingInfo(ports: GetEmbeddingInfoPorts): Promise<EmbeddingInfo> {
  const { embedder, backlog, clock } = ports;
  const breakers = ports.embedderStatus();
  const reembedding = await ports.reembedding.latest();
  const { count, oldestTime } = await backlog.state();
  return {
    ...(embedder === undefined ? {} : { identity: embedder.identity }),
    ...(breakers === undefined ? {} : { breakers }),
    ...(reembedding?.state === "RUNNING" ? { reembedding } : {}),
    backlogCount: count,
    refused: await backlog.refused({ limit: LATEST_REFUSALS }),
    ...(oldestTime === undefined
      ? {}
      : { oldestPending: { time: oldestTime, ageMs: Math.max(0, clock.now() - oldestTime) } }),
  };
}
