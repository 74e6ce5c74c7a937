import {
  type CacheService,
  ReportCacheOutcomeRequest_Outcome as ProtoOutcome,
} from "#gen/recollect/v1/cache_pb.js";
import type { ReportedOutcome } from "../../../domain/cache/feedback.ts";
import { reportCacheOutcome } from "../../../services/cache/report-cache-outcome.ts";
import { defined } from "../../convert/common.ts";
import type { Handler } from "../../handler.ts";

export function reportCacheOutcomeHandler(
  ports: Parameters<typeof reportCacheOutcome>[0],
): Handler<typeof CacheService.method.reportCacheOutcome> {
  return ({ namespace, decisionId, outcome, requestId }, context) =>
    reportCacheOutcome(
      ports,
      { namespace, decisionId, outcome: toOutcome(outcome), ...defined({ requestId }) },
      context,
    );
}

function toOutcome(outcome: ProtoOutcome): ReportedOutcome {
  switch (outcome) {
    case ProtoOutcome.CORRECT:
      return "CORRECT";
    case ProtoOutcome.INCORRECT:
      return "INCORRECT";
    case ProtoOutcome.STALE:
      return "STALE";
    case ProtoOutcome.UNSPECIFIED:
      throw new TypeError("the outcome is unspecified after validation");
  }
}
