import type { CacheService } from "#gen/recollect/v1/cache_pb.js";
import { namespaceOf } from "../../../domain/access/tenancy.ts";
import { getCacheEntry } from "../../../services/cache/read-cache-entries.ts";
import { fromEntry } from "../../convert/cache.ts";
import type { Handler } from "../../handler.ts";

export function getCacheEntryHandler(
  ports: Parameters<typeof getCacheEntry>[0],
): Handler<typeof CacheService.method.getCacheEntry> {
  return async (request, context) => {
    const entry = await getCacheEntry(ports, { namespace: request.namespace, id: request.id }, context);
    return { entry: fromEntry(entry, namespaceOf(request)) };
  };
}
