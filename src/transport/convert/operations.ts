import type { MessageInitShape } from "@bufbuild/protobuf";
import {
  GetEmbeddingInfoResponse_Breaker_State as BreakerState,
  type GetEmbeddingInfoResponse_BreakerSchema,
  type GetEmbeddingInfoResponseSchema,
} from "#gen/recollect/v1/operations_pb.js";
import type { Breaker } from "../../domain/embedding/breaker.ts";
import type { EmbeddingInfo } from "../../services/operations/get-embedding-info.ts";
import { defined, fromDurationMs, fromMs } from "./common.ts";

export function fromEmbeddingInfo(
  info: EmbeddingInfo,
): MessageInitShape<typeof GetEmbeddingInfoResponseSchema> {
  const { identity, breakers, oldestPending } = info;
  return {
    ...(identity === undefined
      ? {}
      : { provider: identity.provider, model: identity.model, dimension: identity.dimension }),
    backlogCount: info.backlogCount,
    ...defined({
      oldestPendingTime: fromMs(oldestPending?.time),
      oldestPendingAge: oldestPending === undefined ? undefined : fromDurationMs(oldestPending.ageMs),
      writeBreaker: breakers === undefined ? undefined : fromBreaker(breakers.WRITE),
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
