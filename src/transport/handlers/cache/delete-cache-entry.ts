import type { CacheService } from "#gen/recollect/v1/cache_pb.js";
import { deleteCacheEntry } from "../../../services/cache/delete-cache-entry.ts";
import { defined } from "../../convert/common.ts";
import type { Handler } from "../../handler.ts";

export function deleteCacheEntryHandler(
  ports: Parameters<typeof deleteCacheEntry>[0],
): Handler<typeof CacheService.method.deleteCacheEntry> {
  return async ({ namespace, id, etag, requestId }, context) => {
    await deleteCacheEntry(ports, { namespace, id, etag, ...defined({ requestId }) }, context);
    return {};
  };
}
