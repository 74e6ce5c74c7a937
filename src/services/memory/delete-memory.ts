import { scopeOf } from "../../domain/tenancy.ts";
import type { Clock } from "../../ports/clock.ts";
import type { MemoryStore } from "../../ports/memory-store.ts";
import { type CallContext, idempotentRequest } from "../call.ts";

/** Deletes a memory for good. Rejects with MEMORY_NOT_FOUND or ETAG_MISMATCH. */
export async function deleteMemory(
  ports: { readonly store: Pick<MemoryStore, "delete">; readonly clock: Clock },
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
  const request = idempotentRequest(context, "DeleteMemory", requestId, body, now);
  await ports.store.delete(scopeOf(context.caller, input.namespace), input.id, {
    now,
    ...(input.etag === "" ? {} : { etag: input.etag }),
    ...(request === undefined ? {} : { request }),
  });
}
