import { scopeOf } from "../../domain/tenancy.ts";
import type { CacheStore } from "../../ports/cache-store.ts";
import type { Clock } from "../../ports/clock.ts";
import { type CallContext, idempotentRequest } from "../call.ts";

/** Deletes an entry for good. Rejects with CACHE_ENTRY_NOT_FOUND or ETAG_MISMATCH. */
export async function deleteCacheEntry(
  ports: { readonly store: Pick<CacheStore, "delete">; readonly clock: Clock },
  input: {
    readonly namespace: string;
    readonly id: string;
    /** Empty: whatever it is. */
    readonly etag: string;
    readonly requestId?: string;
  },
  context: CallContext,
): Promise<void> {
  const now = ports.clock.now();
  const { requestId, ...body } = input;
  const request = idempotentRequest(context, "DeleteCacheEntry", requestId, body, now);
  await ports.store.delete(scopeOf(context.caller, input.namespace), input.id, {
    now,
    ...(input.etag === "" ? {} : { etag: input.etag }),
    ...(request === undefined ? {} : { request }),
  });
}
