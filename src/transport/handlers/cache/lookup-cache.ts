import type { CacheService, LookupCacheRequest } from "#gen/recollect/v1/cache_pb.js";
import { type LookupCachePorts, lookupCache } from "../../../services/cache/lookup-cache.ts";
import {
  type LookupCacheInput,
  type PreparedLookup,
  prepareLookup,
} from "../../../services/cache/prepared-lookup.ts";
import { fromMiss, toCacheScope, toPrompt, toStrategy } from "../../convert/cache.ts";
import { toGuard } from "../../convert/cache-policy.ts";
import { defined, toDurationMs } from "../../convert/common.ts";
import { HitEncoder } from "../../convert/hit-bytes.ts";
import { type PreparingHandler, required } from "../../handler.ts";
import { authorizeScope } from "../../middleware/authorization.ts";

interface Prepared {
  readonly lookup: PreparedLookup;
  /** `scope.shared` of the request. */
  readonly shared: boolean;
}

export function lookupCacheHandler(
  ports: LookupCachePorts,
): PreparingHandler<typeof CacheService.method.lookupCache, Prepared> {
  const encoder = new HitEncoder();
  return {
    prepare(request, caller) {
      const lookup = prepareLookup(toInput(request, caller.principal), caller);
      return { lookup, shared: required(request.scope).shared };
    },

    async handle({ lookup, shared }, context) {
      authorizeScope(context.caller, { shared });
      const { signal, arrival, caller } = context;
      const mayStore = caller.roles.has("writer");
      const { decisionId, outcome } = await lookupCache(ports, lookup, { signal, arrival, mayStore });
      return outcome.kind === "hit"
        ? encoder.encode(decisionId, outcome, lookup.namespace.namespace)
        : { decisionId, outcome: fromMiss(outcome) };
    },
  };
}

function toInput(
  { namespace, prompt, scope, options }: LookupCacheRequest,
  principal: string,
): LookupCacheInput {
  const { text, history } = toPrompt(required(prompt));
  return {
    namespace,
    prompt: text,
    cacheScope: toCacheScope(required(scope), history, principal),
    shadow: options?.shadow ?? false,
    ...defined({
      strategy: options === undefined ? undefined : toStrategy(options.strategy),
      threshold: options?.threshold,
      guard: options === undefined ? undefined : toGuard(options.guard),
      maxAgeMs: toDurationMs(options?.maxAge),
    }),
  };
}
