import type { CacheService } from "#gen/recollect/v1/cache_pb.js";
import { type CachePolicyPorts, getCachePolicy } from "../../../services/cache/cache-policy.ts";
import { fromEffectivePolicy } from "../../convert/cache-policy.ts";
import type { Handler } from "../../handler.ts";

export function getCachePolicyHandler(
  ports: CachePolicyPorts,
): Handler<typeof CacheService.method.getCachePolicy> {
  return async ({ namespace }, context) =>
    fromEffectivePolicy(await getCachePolicy(ports, { namespace }, context));
}
