import { namespaceKeyOf } from "../../domain/access/tenancy.ts";
import { decisionRecipient, invalidDecision, openDecisionFor } from "../../domain/cache/decision-token.ts";
import type { ReportedOutcome } from "../../domain/cache/feedback.ts";
import type { SecretKey } from "../../lib/secret-key.ts";
import type { CacheStore } from "../../ports/cache/cache-store.ts";
import type { Clock } from "../../ports/clock.ts";
import type { FeedbackMetrics } from "../../ports/metrics.ts";
import { type CallContext, idempotentRequest } from "../call.ts";

export interface ReportCacheOutcomeInput {
  readonly namespace: string;
  readonly decisionId: string;
  readonly outcome: ReportedOutcome;
  readonly requestId?: string;
}

/**
 * Reports whether a served answer was right. Resolves with `applied`: false when the answer is not stored any more. Rejects
 * with DECISION_INVALID.
 */
export async function reportCacheOutcome(
  ports: {
    readonly store: Pick<CacheStore, "report">;
    /** See ServerSecret. */
    readonly secret: () => SecretKey;
    readonly clock: Clock;
    readonly metrics: FeedbackMetrics;
  },
  input: ReportCacheOutcomeInput,
  context: CallContext,
): Promise<{ readonly applied: boolean }> {
  const now = ports.clock.now();
  const namespaceKey = namespaceKeyOf(context.caller, input.namespace);
  const { outcome } = input;
  const recipient = decisionRecipient(namespaceKey, context.caller.principal);
  const decision = openDecisionFor(recipient, input.decisionId, ports.secret(), now);
  const { entryId, servedCreateTime, promptId, similarity } = decision;
  if (servedCreateTime === 0) throw invalidDecision("miss");
  const { requestId, ...body } = input;
  const request = idempotentRequest(context, "ReportCacheOutcome", requestId, body, now);
  const { applied, quarantined } = await ports.store.report(
    namespaceKey,
    { outcome, entryId, createTime: servedCreateTime, promptId, reporter: recipient, similarity },
    { now, ...(request === undefined ? {} : { request }) },
  );
  ports.metrics.cacheReported(outcome);
  if (quarantined) ports.metrics.cacheQuarantined();
  return { applied };
}
