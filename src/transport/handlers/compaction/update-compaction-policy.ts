import type { CompactionService } from "#gen/recollect/v1/compaction_pb.js";
import { updateCompactionPolicy } from "../../../services/compaction/compaction-policy.ts";
import { defined } from "../../convert/common.ts";
import { fromPolicies, toPolicy } from "../../convert/compaction.ts";
import { type Handler, required } from "../../handler.ts";

export function updateCompactionPolicyHandler(
  ports: Parameters<typeof updateCompactionPolicy>[0],
): Handler<typeof CompactionService.method.updateCompactionPolicy> {
  return async (request, context) => {
    const policy = required(request.policy);
    const { namespace, requestId } = request;
    const updated = await updateCompactionPolicy(
      ports,
      { namespace, policy: toPolicy(policy), etag: policy.etag, ...defined({ requestId }) },
      context,
    );
    return fromPolicies(updated);
  };
}
