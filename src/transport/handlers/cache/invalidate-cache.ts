import type { CacheService } from "#gen/recollect/v1/cache_pb.js";
import { invalidateCache } from "../../../services/cache/invalidate-cache.ts";
import { defined } from "../../convert/common.ts";
import type { Handler } from "../../handler.ts";

export function invalidateCacheHandler(
  ports: Parameters<typeof invalidateCache>[0],
): Handler<typeof CacheService.method.invalidateCache> {
  return ({ namespace, model, knowledgeVersion, tags, validateOnly, requestId }, context) =>
    invalidateCache(
      ports,
      { namespace, model, knowledgeVersion, tags, validateOnly, ...defined({ requestId }) },
      context,
    );
}
