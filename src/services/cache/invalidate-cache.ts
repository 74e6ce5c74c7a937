import { namespaceKeyOf } from "../../domain/access/tenancy.ts";
import { type InvalidationFilter, knowledgeDigest } from "../../domain/cache/invalidation.ts";
import type { CacheStore } from "../../ports/cache/cache-store.ts";
import type { Clock } from "../../ports/clock.ts";
import { type CallContext, idempotentRequest } from "../call.ts";

export interface InvalidateCacheInput {
  readonly namespace: string;
  /** Empty: any. */
  readonly model: string;
  /** Empty: any. */
  readonly knowledgeVersion: string;
  /** Entries with any of these; empty: any entries. */
  readonly tags: readonly string[];
  /** Only count. */
  readonly validateOnly: boolean;
  readonly requestId?: string;
}

export interface InvalidateCacheOutput {
  /** Number of matching entries; only with validateOnly. */
  readonly count?: number;
  /** No condition was given. */
  readonly wholeNamespace: boolean;
}

/** Invalidates the entries of a namespace that meet all conditions, or (with validateOnly) counts them. */
export async function invalidateCache(
  ports: { readonly store: Pick<CacheStore, "invalidate" | "countMatching">; readonly clock: Clock },
  input: InvalidateCacheInput,
  context: CallContext,
): Promise<InvalidateCacheOutput> {
  const now = ports.clock.now();
  const namespaceKey = namespaceKeyOf(context.caller, input.namespace);
  const filter = filterOf(input);
  const wholeNamespace = Object.keys(filter).length === 0;
  if (input.validateOnly) {
    return { count: await ports.store.countMatching(namespaceKey, filter, now), wholeNamespace };
  }
  const { requestId, ...body } = input;
  const request = idempotentRequest(context, "InvalidateCache", requestId, body, now);
  await ports.store.invalidate(namespaceKey, filter, { now, ...(request === undefined ? {} : { request }) });
  return { wholeNamespace };
}

function filterOf({ model, knowledgeVersion, tags }: InvalidateCacheInput): InvalidationFilter {
  return {
    ...(model === "" ? {} : { model }),
    ...(knowledgeVersion === "" ? {} : { knowledge: knowledgeDigest(knowledgeVersion) }),
    ...(tags.length === 0 ? {} : { tagsAny: tags }),
  };
}
