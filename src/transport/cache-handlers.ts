import type { MessageInitShape } from "@bufbuild/protobuf";
import {
  CacheService,
  type LookupCacheRequest,
  type LookupCacheResponseSchema,
} from "#gen/recollect/v1/cache_pb.js";
import { type Caller, namespaceOf } from "../domain/access/tenancy.ts";
import { answerBytesOf } from "../domain/answer-size.ts";
import { MAX_PAGE_BYTES } from "../domain/page-token.ts";
import type { CacheStore } from "../ports/cache/cache-store.ts";
import { deleteCacheEntry } from "../services/cache/delete-cache-entry.ts";
import { getCacheStats } from "../services/cache/get-cache-stats.ts";
import { type LookupCachePorts, lookupCache } from "../services/cache/lookup-cache.ts";
import { type LookupCacheInput, type PlacedLookup, placeLookup } from "../services/cache/placed-lookup.ts";
import { getCacheEntry, listCacheEntries } from "../services/cache/read-cache-entries.ts";
import {
  type StoreCacheEntryInput,
  type StoreCacheEntryPorts,
  storeCacheEntry,
} from "../services/cache/store-cache-entry.ts";
import { fittingEntries, textBytes } from "./convert/answer-fit.ts";
import {
  fromEntry,
  fromMiss,
  fromStats,
  toAnswerScope,
  toQuestion,
  toStrategy,
  toUsage,
} from "./convert/cache.ts";
import { defined, given, givenList, toDurationMs, toMetadata } from "./convert/common.ts";
import { encodeHit } from "./convert/hit-bytes.ts";
import { type Encoded, required, type ServedService, serve } from "./handler.ts";

type Response = MessageInitShape<typeof LookupCacheResponseSchema> | Encoded;

export type CachePorts = Omit<LookupCachePorts, "store"> &
  Omit<StoreCacheEntryPorts, "store"> & { readonly store: CacheStore };

/**
 * What was made of a request, by the request: the gRPC door hands in the same one for the same bytes (see
 * grpc/known-requests.ts).
 */
const lookups = new WeakMap<LookupCacheRequest, { readonly caller: Caller; readonly lookup: PlacedLookup }>();

function lookupOf(request: LookupCacheRequest, caller: Caller): PlacedLookup {
  const made = lookups.get(request);
  if (made?.caller === caller) return made.lookup;
  const question = toQuestion(required(request.prompt));
  const { options } = request;
  const input: LookupCacheInput = {
    namespace: request.namespace,
    prompt: question.prompt,
    answerScope: toAnswerScope(required(request.scope), question, caller),
    shadow: options?.shadow ?? false,
    ...defined({
      strategy: options === undefined ? undefined : toStrategy(options.strategy),
      threshold: options?.threshold,
      maxAgeMs: toDurationMs(options?.maxAge),
    }),
  };
  const lookup = placeLookup(input, caller);
  lookups.set(request, { caller, lookup });
  return lookup;
}

/** CacheService: each handler converts, calls one use case, and converts back. */
export function cacheHandlers(ports: CachePorts): ServedService {
  return serve(CacheService, {
    lookupCache: (request, context) =>
      lookupCache(
        ports,
        lookupOf(request, context.caller),
        context,
        ({ decisionId, outcome }): Response =>
          outcome.kind === "hit"
            ? encodeHit(decisionId, outcome, namespaceOf(request))
            : { decisionId, outcome: fromMiss(outcome) },
      ),

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
        metadata: toMetadata(request.metadata, "metadata"),
        ...defined({
          ttlMs: toDurationMs(request.ttl),
          usage: toUsage(request.usage),
          requestId: request.requestId,
        }),
      };
      const { entry, replaced } = await storeCacheEntry(ports, input, context);
      return { entry: { ...fromEntry(entry, namespaceOf(request)), response: "" }, replaced };
    },

    getCacheEntry: async (request, context) => {
      const entry = await getCacheEntry(ports, { namespace: request.namespace, id: request.id }, context);
      return { entry: fromEntry(entry, namespaceOf(request)) };
    },

    listCacheEntries: async (request, context) => {
      const namespace = namespaceOf(request);
      const maxBytes = answerBytesOf(request.maxAnswerBytes, MAX_PAGE_BYTES);
      const { entries, nextPageToken } = await listCacheEntries(
        ports,
        {
          namespace: request.namespace,
          pageSize: request.pageSize,
          pageToken: request.pageToken,
          maxBytes,
          fitting: (found, tokenBehind) =>
            fittingEntries(found, { namespace, maxBytes, beside: (kept) => textBytes(tokenBehind(kept)) }),
          ...defined({ model: given(request.model), tagsAny: givenList(request.tagsAny) }),
        },
        context,
      );
      return { entries: entries.map((entry) => fromEntry(entry, namespace)), nextPageToken };
    },

    deleteCacheEntry: async (request, context) => {
      await deleteCacheEntry(
        ports,
        {
          namespace: request.namespace,
          id: request.id,
          etag: request.etag,
          ...defined({ requestId: request.requestId }),
        },
        context,
      );
      return {};
    },

    getCacheStats: async (request, context) =>
      fromStats(await getCacheStats(ports, { namespace: request.namespace }, context)),
  });
}
