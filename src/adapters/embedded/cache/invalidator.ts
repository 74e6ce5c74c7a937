import { mapKeyOf, type NamespaceKey } from "../../../domain/access/tenancy.ts";
import { DECISION_LIFETIME_MS } from "../../../domain/cache/decision-token.ts";
import type { InvalidationFilter } from "../../../domain/cache/invalidation.ts";
import type { IdempotentRequest } from "../../../ports/idempotency.ts";
import type { Written } from "../database/database.ts";
import type { IdempotencyRecords } from "../namespaces/idempotency.ts";
import type { NamespaceIds } from "../namespaces/namespace-ids.ts";
import { CacheReclaimer, type CacheReclaimerParts } from "./reclaimer.ts";

export interface CacheInvalidatorParts extends CacheReclaimerParts {
  readonly namespaces: NamespaceIds;
  readonly idempotencyRecords: IdempotencyRecords;
}

/** Invalidates entries, and knows the last generation of each namespace without reading it. */
export class CacheInvalidator implements Disposable {
  readonly #parts: CacheInvalidatorParts;
  readonly #onInvalidated: (namespaceId: number) => void;
  readonly #reclaimer: CacheReclaimer;
  /** The generation of the last invalidation, by namespace; absent: none. */
  readonly #generations = new Map<string, number>();

  /** `onInvalidated` is called when an invalidation is on disk: what is cached in memory has to be dropped. */
  constructor(parts: CacheInvalidatorParts, onInvalidated: (namespaceId: number) => void) {
    this.#parts = parts;
    this.#onInvalidated = onInvalidated;
    this.#reclaimer = new CacheReclaimer(parts);
    this.#readGenerations();
  }

  /** 0: nothing was invalidated. */
  generation(scope: NamespaceKey): number {
    return this.#generations.size === 0 ? 0 : (this.#generations.get(mapKeyOf(scope)) ?? 0);
  }

  invalidate(
    scope: NamespaceKey,
    filter: InvalidationFilter,
    { now, request }: { readonly now: number; readonly request?: IdempotentRequest },
  ): Promise<void> {
    const { database, namespaces, idempotencyRecords, invalidations } = this.#parts;
    return database.write(
      (): Written<void> => {
        // Beside the namespace, which need not exist: a replay must not invalidate later entries.
        const records = request === undefined ? undefined : namespaces.recordsOf(scope.tenant);
        const named = request && { ...request, key: `${scope.namespace} ${request.key}` };
        if (records !== undefined && idempotencyRecords.replay(records, named, now) !== undefined)
          return { result: undefined };
        if (records !== undefined) idempotencyRecords.record(records, named, "done", now);
        const namespaceId = namespaces.find(scope);
        if (namespaceId === undefined) return { result: undefined };
        const forgetBefore = now - DECISION_LIFETIME_MS;
        const { last } = invalidations.add(namespaceId, filter, { now, forgetBefore });
        return {
          result: undefined,
          afterCommit: () => {
            this.#generations.set(mapKeyOf(scope), last);
            this.#onInvalidated(namespaceId);
            this.#reclaimer.start(namespaceId);
          },
        };
      },
      { deletes: true },
    );
  }

  /** Deletes the invalidated entries that an earlier process left, in the background. */
  resume(): void {
    this.#reclaimer.resume();
  }

  namespaceDeleted(): void {
    this.#readGenerations();
  }

  [Symbol.dispose](): void {
    this.#reclaimer[Symbol.dispose]();
  }

  #readGenerations(): void {
    this.#generations.clear();
    for (const { tenant, name, state } of this.#parts.invalidations.all()) {
      this.#generations.set(mapKeyOf({ tenant, namespace: name }), state.last);
    }
  }
}
