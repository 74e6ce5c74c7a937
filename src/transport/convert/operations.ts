import type { MessageInitShape } from "@bufbuild/protobuf";
import {
  GetEmbeddingInfoResponse_Breaker_State as BreakerState,
  type GetEmbeddingInfoResponse_BreakerSchema,
  type GetEmbeddingInfoResponseSchema,
  type GetServerInfoResponseSchema,
  IndexInfo_Content as IndexContent,
  type IndexInfoSchema,
  type RebuildIndexResponseSchema,
  type ReembeddingSchema,
  Reembedding_State as ReembeddingState,
} from "#gen/recollect/v1/operations_pb.js";
import type { Breaker } from "../../domain/embedding/breaker.ts";
import type { Reembedding } from "../../ports/embedding/reembedding-store.ts";
import type { IndexInfo, RebuildProgress } from "../../ports/index-store.ts";
import type { EmbeddingInfo } from "../../services/operations/get-embedding-info.ts";
import type { ServerInfo } from "../../services/operations/get-server-info.ts";
import { defined, fromDurationMs, fromMs } from "./common.ts";

export function fromServerInfo({
  startTime,
  serverVersion,
  ...info
}: ServerInfo): MessageInitShape<typeof GetServerInfoResponseSchema> {
  return {
    ...info,
    modules: [...info.modules],
    persistence: [...info.persistence],
    backendVersion: serverVersion,
    ...defined({ startTime: fromMs(startTime) }),
  };
}

export function fromIndexInfo(info: IndexInfo): MessageInitShape<typeof IndexInfoSchema> {
  return { ...info, content: IndexContent[info.content], memoryBytes: BigInt(info.memoryBytes) };
}

export function fromRebuildProgress(
  progress: RebuildProgress,
): MessageInitShape<typeof RebuildIndexResponseSchema> {
  const { indexedCount, totalCount } = progress;
  return { indexedCount, totalCount, indexedFraction: totalCount === 0 ? 1 : indexedCount / totalCount };
}

export function fromEmbeddingInfo(
  info: EmbeddingInfo,
): MessageInitShape<typeof GetEmbeddingInfoResponseSchema> {
  const { identity, breakers, oldestPending, reembedding } = info;
  return {
    ...(identity === undefined
      ? {}
      : { provider: identity.provider, model: identity.model, dimension: identity.dimension }),
    pendingCount: info.backlogCount,
    refusedCount: info.refused.count,
    latestRefusals: info.refused.latest.map(({ refusal, refuseTime }) => ({
      reason: refusal,
      ...defined({ refuseTime: fromMs(refuseTime) }),
    })),
    ...defined({
      oldestPendingTime: fromMs(oldestPending?.time),
      oldestPendingAge: oldestPending === undefined ? undefined : fromDurationMs(oldestPending.ageMs),
      writeBreaker: breakers === undefined ? undefined : fromBreaker(breakers.WRITE),
      reembedding: reembedding === undefined ? undefined : fromReembedding(reembedding),
      lookupBreaker: breakers === undefined ? undefined : fromBreaker(breakers.LOOKUP),
    }),
  };
}

function fromBreaker({
  state,
  since,
  lastFailure,
}: Breaker): MessageInitShape<typeof GetEmbeddingInfoResponse_BreakerSchema> {
  return {
    state: BreakerState[state],
    ...defined({ sinceTime: fromMs(since) }),
    lastFailure: lastFailure?.toLowerCase() ?? "",
  };
}

export function fromReembedding(reembedding: Reembedding): MessageInitShape<typeof ReembeddingSchema> {
  const { target, state, memoryCount, remainingCount } = reembedding;
  const all = Math.max(memoryCount, remainingCount);
  return {
    id: reembedding.id,
    state: ReembeddingState[state],
    provider: target.provider,
    model: target.model,
    dimension: target.dimension,
    memoryCount,
    remainingCount,
    embeddedFraction: state === "DONE" ? 1 : state === "FAILED" || all === 0 ? 0 : 1 - remainingCount / all,
    failure: reembedding.failure ?? "",
    ...defined({ startTime: fromMs(reembedding.startTime), endTime: fromMs(reembedding.endTime) }),
  };
}
