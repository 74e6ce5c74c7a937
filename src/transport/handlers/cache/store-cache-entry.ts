import type { CacheService, StoreCacheEntryRequest } from "#gen/recollect/v1/cache_pb.js";
import { type Caller, namespaceOf } from "../../../domain/access/tenancy.ts";
import {
  type StoreCacheEntryInput,
  type StoreCacheEntryPorts,
  storeCacheEntry,
} from "../../../services/cache/store-cache-entry.ts";
import {
  fromEntry,
  fromNotStored,
  type Prompt,
  toCacheScope,
  toPrompt,
  toUsage,
} from "../../convert/cache.ts";
import { defined, nonEmptyText, toDurationMs, toMetadata } from "../../convert/common.ts";
import { type Handler, required } from "../../handler.ts";
import { authorizeScope } from "../../middleware/authorization.ts";

export function storeCacheEntryHandler(
  ports: StoreCacheEntryPorts,
): Handler<typeof CacheService.method.storeCacheEntry> {
  return async (request, context) => {
    const prompt = toPrompt(required(request.prompt));
    const input: StoreCacheEntryInput = {
      namespace: request.namespace,
      prompt: prompt.text,
      origin: toOrigin(request.origin, prompt, context.caller),
      response: request.response,
      tags: request.tags,
      metadata: toMetadata(request.metadata, "metadata"),
      ...defined({
        ttlMs: toDurationMs(request.ttl),
        usage: toUsage(request.usage),
        finishReason: nonEmptyText(request.finishReason),
        requestId: request.requestId,
      }),
    };
    const outcome = await storeCacheEntry(ports, input, context);
    if (outcome.kind === "notStored") return { notStoredReason: fromNotStored(outcome.reason) };
    const { entry, replaced } = outcome;
    return { entry: { ...fromEntry(entry, namespaceOf(request)), response: "" }, replaced, stored: true };
  };
}

function toOrigin(
  origin: StoreCacheEntryRequest["origin"],
  { history }: Prompt,
  caller: Caller,
): StoreCacheEntryInput["origin"] {
  if (origin.case === "decisionId") return { kind: "decision", decisionId: origin.value };
  const scope = required(origin.value);
  authorizeScope(caller, scope);
  return { kind: "scope", cacheScope: toCacheScope(scope, history, caller.principal) };
}
