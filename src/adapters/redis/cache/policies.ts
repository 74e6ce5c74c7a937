import type { NamespaceKey } from "../../../domain/access/tenancy.ts";
import { cachePolicyEtag, NO_CACHE_POLICY, type StoredCachePolicy } from "../../../domain/cache/policy.ts";
import { cachePolicyChanged } from "../../../domain/errors.ts";
import type { CachePolicyStore } from "../../../ports/cache/policy-store.ts";
import type { IdempotentRequest } from "../../../ports/idempotency.ts";
import type { Reply } from "../connection/client.ts";
import { bytesOf, isText, listOf, textOf } from "../connection/replies.ts";
import { IDEMPOTENCY, replayedOutcome, requestInput } from "../namespaces/idempotency.ts";
import type { Namespaces } from "../namespaces/namespace-ids.ts";
import { defineNamespaceScript } from "../namespaces/namespace-script.ts";
import { packRecord, unpackRecord } from "../namespaces/records.ts";

const REPLACE = defineNamespaceScript({
  file: new URL("./replace-cache-policy.lua", import.meta.url),
  libraries: [IDEMPOTENCY],
  effect: "writes",
  keys: ["cachePolicy", "meta"],
  arguments: ["expectedEtag", "noPolicyEtag", "etag", "rec"],
  reply: (
    reply,
  ): { readonly kind: "written" | "replayed" } | { readonly kind: "changed"; readonly etag: string } => {
    if (replayedOutcome(reply) !== undefined) return { kind: "replayed" };
    const [word, etag] = listOf(reply);
    return isText(word, "ETAG") ? { kind: "changed", etag: textOf(etag) ?? "" } : { kind: "written" };
  },
});

/** The record of a policy, as Redis answers it; without one NO_CACHE_POLICY. */
export function policyOf(record: Reply | undefined): StoredCachePolicy {
  const bytes = record === undefined ? undefined : bytesOf(record);
  return bytes === undefined ? NO_CACHE_POLICY : unpackRecord<StoredCachePolicy>(bytes, "a cache policy");
}

/** The cache policies in Redis. Lookups read them in the script that reads the entry (see CacheReader). */
export class RedisCachePolicyStore implements CachePolicyStore {
  readonly #namespaces: Namespaces;

  constructor(namespaces: Namespaces) {
    this.#namespaces = namespaces;
  }

  async get(namespaceKey: NamespaceKey): Promise<StoredCachePolicy> {
    const replies = await this.#namespaces.pipeline(namespaceKey, ({ cachePolicy }) => [
      ["HGET", cachePolicy, "rec"],
    ]);
    return policyOf(replies?.[0]);
  }

  async replace(
    namespaceKey: NamespaceKey,
    expectedEtag: string,
    policy: StoredCachePolicy,
    { now, request }: { readonly now: number; readonly request?: IdempotentRequest },
  ): Promise<StoredCachePolicy> {
    const reply = await this.#namespaces.run(namespaceKey, {
      script: REPLACE,
      whenAbsent: "create",
      mayRetry: request !== undefined,
      input: (namespace) => ({
        ...requestInput(request),
        request: namespace.request(request?.key ?? ""),
        cachePolicy: namespace.cachePolicy,
        meta: namespace.partition.meta,
        now,
        expectedEtag,
        noPolicyEtag: cachePolicyEtag(NO_CACHE_POLICY),
        etag: cachePolicyEtag(policy),
        rec: packRecord(policy),
      }),
    });
    if (reply.kind === "changed") throw cachePolicyChanged(reply.etag);
    return reply.kind === "replayed" ? this.get(namespaceKey) : policy;
  }
}
