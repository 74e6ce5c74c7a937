import type { CacheService } from "#gen/recollect/v1/cache_pb.js";
import { getCacheStats } from "../../../services/cache/get-cache-stats.ts";
import { fromStats } from "../../convert/cache.ts";
import type { Handler } from "../../handler.ts";

export function getCacheStatsHandler(
  ports: Parameters<typeof getCacheStats>[0],
): Handler<typeof CacheService.method.getCacheStats> {
  return async ({ namespace }, context) => fromStats(await getCacheStats(ports, { namespace }, context));
}
