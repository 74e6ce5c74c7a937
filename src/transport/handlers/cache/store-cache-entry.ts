import type { CacheService } from "#gen/recollect/v1/cache_pb.js";
import { namespaceOf } from "../../../domain/access/tenancy.ts";
import {
  type StoreCacheEntryInput,
  type StoreCacheEntryPorts,
  storeCacheEntry,
} from "../../../services/cache/store-cache-entry.ts";
import { fromEntry, toAnswerScope, toQuestion, toUsage } from "../../convert/cache.ts";
import { defined, toDurationMs, toMetadata } from "../../convert/common.ts";
import { type Handler, required } from "../../handler.ts";

export function storeCacheEntryHandler(
  ports: StoreCacheEntryPorts,
): Handler<typeof CacheService.method.storeCacheEntry> {
  return async (request, context) => {
    const question = toQuestion(required(request.prompt));
    const { origin } = request;
    const input: StoreCacheEntryInput = {
      namespace: request.namespace,
      prompt: question.prompt,
      origin:
        origin.case === "decisionId"
          ? { kind: "decision", decisionId: origin.value }
          : { kind: "scope", answerScope: toAnswerScope(required(origin.value), question, context.caller) },
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
