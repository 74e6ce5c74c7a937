import type { CacheService } from "#gen/recollect/v1/cache_pb.js";
import { type CachePolicyPorts, updateCachePolicy } from "../../../services/cache/cache-policy.ts";
import { fromEffectivePolicy, toPolicy, toPolicyFields } from "../../convert/cache-policy.ts";
import { defined } from "../../convert/common.ts";
import { type Handler, required } from "../../handler.ts";

export function updateCachePolicyHandler(
  ports: CachePolicyPorts,
): Handler<typeof CacheService.method.updateCachePolicy> {
  return async (request, context) => {
    const policy = required(request.policy);
    const updated = await updateCachePolicy(
      ports,
      {
        namespace: request.namespace,
        etag: policy.etag,
        patch: toPolicy(policy),
        fields: toPolicyFields(request.updateMask, policy),
        ...defined({ requestId: request.requestId }),
      },
      context,
    );
    return fromEffectivePolicy(updated);
  };
}
