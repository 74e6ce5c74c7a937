import type { CompactionService } from "#gen/recollect/v1/compaction_pb.js";
import { getCompactionPolicy } from "../../../services/compaction/compaction-policy.ts";
import { fromPolicies } from "../../convert/compaction.ts";
import type { Handler } from "../../handler.ts";

export function getCompactionPolicyHandler(
  ports: Parameters<typeof getCompactionPolicy>[0],
): Handler<typeof CompactionService.method.getCompactionPolicy> {
  return async (request, context) => fromPolicies(await getCompactionPolicy(ports, request, context));
}
