import type { Breaker } from "../../domain/embedding/breaker.ts";
import type { Clock } from "../../ports/clock.ts";
import type { EmbedderIdentity, Urgency } from "../../ports/embedder.ts";
import type { ObservedEmbedder } from "../../ports/embedder-status.ts";
import type { EmbeddingBacklog } from "../../ports/embedding-backlog.ts";

export interface GetEmbeddingInfoPorts {
  /** Undefined: vector search is switched off. */
  readonly embedder: { readonly identity: EmbedderIdentity } | undefined;
  /** Undefined: the embedder asks nobody. */
  readonly embedderStatus: ObservedEmbedder["status"] | undefined;
  readonly backlog: Pick<EmbeddingBacklog, "state">;
  readonly clock: Clock;
}

/** Which embedder makes the vectors, how it is, and what waits for it. */
export interface EmbeddingInfo {
  readonly identity?: EmbedderIdentity;
  readonly breakers?: Readonly<Record<Urgency, Breaker>>;
  readonly backlogCount: number;
  readonly oldestPending?: { readonly time: number; readonly ageMs: number };
}

/** Asks the provider nothing, so that it answers when that is down. */
export async function getEmbeddingInfo(ports: GetEmbeddingInfoPorts): Promise<EmbeddingInfo> {
  const { embedder, embedderStatus, backlog, clock } = ports;
  const { count, oldestTime } = await backlog.state();
  return {
    ...(embedder === undefined ? {} : { identity: embedder.identity }),
    ...(embedderStatus === undefined ? {} : { breakers: embedderStatus() }),
    backlogCount: count,
    ...(oldestTime === undefined
      ? {}
      : { oldestPending: { time: oldestTime, ageMs: Math.max(0, clock.now() - oldestTime) } }),
  };
}
