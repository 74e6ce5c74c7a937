import type { MessageInitShape } from "@bufbuild/protobuf";
import type {
  CacheService,
  LookupCacheRequest,
  LookupCacheResponseSchema,
} from "#gen/recollect/v1/cache_pb.js";
import { type Caller, namespaceOf } from "../../../domain/access/tenancy.ts";
import { type LookupCachePorts, lookupCache } from "../../../services/cache/lookup-cache.ts";
import {
  type LookupCacheInput,
  type PlacedLookup,
  placeLookup,
} from "../../../services/cache/placed-lookup.ts";
import { fromMiss, toAnswerScope, toQuestion, toStrategy } from "../../convert/cache.ts";
import { defined, toDurationMs } from "../../convert/common.ts";
import { encodeHit } from "../../convert/hit-bytes.ts";
import { type Encoded, type Handler, required } from "../../handler.ts";
import { authorizeScope } from "../../middleware/authorization.ts";

type Response = MessageInitShape<typeof LookupCacheResponseSchema> | Encoded;

export function lookupCacheHandler(ports: LookupCachePorts): Handler<typeof CacheService.method.lookupCache> {
  return (request, context) =>
    lookupCache(
      ports,
      lookupOf(request, context.caller),
      context,
      ({ decisionId, outcome }): Response =>
        outcome.kind === "hit"
          ? encodeHit(decisionId, outcome, namespaceOf(request))
          : { decisionId, outcome: fromMiss(outcome) },
    );
}

/**
 * The lookup of a request, by the request: the gRPC server hands in the same message object for the same bytes (see
 * grpc/known-requests.ts).
 */
const lookups = new WeakMap<LookupCacheRequest, { readonly caller: Caller; readonly lookup: PlacedLookup }>();

function lookupOf(request: LookupCacheRequest, caller: Caller): PlacedLookup {
  const made = lookups.get(request);
  if (made?.caller === caller) return made.lookup;
  const question = toQuestion(required(request.prompt));
  const scope = required(request.scope);
  authorizeScope(caller, scope);
  const { options } = request;
  const input: LookupCacheInput = {
    namespace: request.namespace,
    prompt: question.prompt,
    answerScope: toAnswerScope(scope, question, caller),
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
