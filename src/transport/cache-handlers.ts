import { CacheService } from "#gen/recollect/v1/cache_pb.js";
import { namespaceOf } from "../domain/tenancy.ts";
import type { CacheStore } from "../ports/cache-store.ts";
import { type LookupCachePorts, lookupCache } from "../services/cache/lookup-cache.ts";
import {
  type StoreCacheEntryInput,
  type StoreCacheEntryPorts,
  storeCacheEntry,
} from "../services/cache/store-cache-entry.ts";
import { fromEntry, fromOutcome, toAnswerScope, toQuestion, toStrategy, toUsage } from "./convert/cache.ts";
import { defined, toDurationMs, toJsonObject } from "./convert/common.ts";
import { required, type ServedService, serve } from "./handler.ts";

export type CachePorts = Omit<LookupCachePorts, "store"> &
  Omit<StoreCacheEntryPorts, "store"> & { readonly store: CacheStore };

/** CacheService: each handler converts, calls one use case, and converts back. */
export function cacheHandlers(ports: CachePorts): ServedService {
  return serve(CacheService, {
    lookupCache: async (request, context) => {
      const question = toQuestion(required(request.prompt));
      const { options } = request;
      const { decisionId, outcome } = await lookupCache(
        ports,
        {
          namespace: request.namespace,
          prompt: question.prompt,
          answerScope: toAnswerScope(required(request.scope), question, context.caller),
          shadow: options?.shadow ?? false,
          ...defined({
            strategy: options === undefined ? undefined : toStrategy(options.strategy),
            threshold: options?.threshold,
            maxAgeMs: toDurationMs(options?.maxAge),
          }),
        },
        context,
      );
      return { decisionId, outcome: fromOutcome(outcome, namespaceOf(request)) };
    },

    storeCacheEntry: async (request, context) => {
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
        metadata: toJsonObject(request.metadata, "metadata"),
        ...defined({
          ttlMs: toDurationMs(request.ttl),
          usage: toUsage(request.usage),
          requestId: request.requestId,
        }),
      };
      const { entry, replaced } = await storeCacheEntry(ports, input, context);
      return { entry: { ...fromEntry(entry, namespaceOf(request)), response: "" }, replaced };
    },
  });
}
