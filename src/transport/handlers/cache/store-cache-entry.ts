import type { CacheService } from "#gen/recollect/v1/cache_pb.js";
import { namespaceOf } from "../../../domain/access/tenancy.ts";
import {
  type StoreCacheEntryInput,
  type StoreCacheEntryPorts,
  storeCacheEntry,
} from "../../../services/cache/store-cache-entry.ts";
import { fromEntry, toCacheScope, toPrompt, toUsage } from "../../convert/cache.ts";
import { defined, toDurationMs, toMetadata } from "../../convert/common.ts";
import { type Handler, required } from "../../handler.ts";
import { checkSharedScope } from "./shared-scope.ts";

export function storeCacheEntryHandler(
  ports: StoreCacheEntryPorts,
): Handler<typeof CacheService.method.storeCacheEntry> {
  return async (request, context) => {
    const { caller } = context;
    const prompt = toPrompt(required(request.prompt));
    const { origin } = request;
    if (origin.case === "scope") checkSharedScope(caller, origin.value);
    const input: StoreCacheEntryInput = {
      namespace: request.namespace,
      prompt: prompt.text,
      origin:
        origin.case === "decisionId"
          ? { kind: "decision", decisionId: origin.value }
          : {
              kind: "scope",
              cacheScope: toCacheScope(required(origin.value), prompt.history, caller.principal),
            },
      response: request.response,
      tags: request.tags,
      metadata: toMetadata(request.metadata, "metadata"),
      ...defined({
        ttlMs: toDurationMs(request.ttl),
        usage: toUsage(request.usage),
        requestId: request.requestId,
      }),
    };
    const { entry, replaced } = await storeCacheEntry(ports, input, context);
    return { entry: { ...fromEntry(entry, namespaceOf(request)), response: "" }, replaced };
  };
}
