import type { NamespaceKey } from "../../../domain/access/tenancy.ts";
import { DECISION_LIFETIME_MS } from "../../../domain/cache/decision-token.ts";
import { type InvalidationFilter, MAX_INVALIDATIONS } from "../../../domain/cache/invalidation.ts";
import type { IdempotentRequest } from "../../../ports/idempotency.ts";
import type { Log } from "../../../ports/log.ts";
import type { RemovalMetrics } from "../../../ports/metrics.ts";
import { list } from "../connection/script.ts";
import { IDEMPOTENCY, replayedOutcome, requestInput } from "../namespaces/idempotency.ts";
import type { Namespaces } from "../namespaces/namespace-ids.ts";
import { defineNamespaceScript } from "../namespaces/namespace-script.ts";
import { invalidationNames } from "./invalidation-names.ts";
import { CacheReclaimer } from "./reclaimer.ts";
import { INVALIDATION } from "./script.ts";

const INVALIDATE = defineNamespaceScript({
  file: new URL("./invalidate-cache.lua", import.meta.url),
  libraries: [IDEMPOTENCY, INVALIDATION],
  effect: "frees",
  keys: ["counters", "cacheInvalidations", "meta"],
  arguments: ["forgetBefore", "maxInvalidations", list("names")],
  // Throws REQUEST_ID_REUSED.
  reply: (reply) => void replayedOutcome(reply),
});

/** Invalidates entries, and removes them in the background. */
export class CacheInvalidator implements AsyncDisposable {
  readonly #namespaces: Namespaces;
  readonly #reclaimer: CacheReclaimer;

  constructor(namespaces: Namespaces, options: { readonly log: Log; readonly metrics: RemovalMetrics }) {
    this.#namespaces = namespaces;
    this.#reclaimer = new CacheReclaimer(namespaces, options);
  }

  /** See CacheStore.invalidate. */
  async invalidate(
    scope: NamespaceKey,
    filter: InvalidationFilter,
    { now, request }: { readonly now: number; readonly request?: IdempotentRequest },
  ): Promise<void> {
    const partition = this.#namespaces.partition(scope);
    await this.#namespaces.run(scope, {
      script: INVALIDATE,
      // The record is stored beside the namespace, which may not exist: a replay must not invalidate later entries.
      whenAbsent: "run",
      mayRetry: request !== undefined,
      input: ({ counters, cacheInvalidations }) => ({
        ...{ counters, cacheInvalidations, now },
        ...requestInput(request),
        request: partition.requestBeside(scope, request?.key ?? ""),
        meta: partition.meta,
        names: invalidationNames(filter),
        forgetBefore: now - DECISION_LIFETIME_MS,
        maxInvalidations: MAX_INVALIDATIONS,
      }),
    });
    this.#reclaimer.start(scope, now);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#reclaimer[Symbol.asyncDispose]();
  }
}
