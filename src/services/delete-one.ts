import { type NamespaceKey, namespaceKeyOf } from "../domain/access/tenancy.ts";
import type { Clock } from "../ports/clock.ts";
import type { IdempotentRequest } from "../ports/idempotency.ts";
import { type CallContext, idempotentRequest } from "./call.ts";

export interface DeleteInput {
  readonly namespace: string;
  readonly id: string;
  /** Empty: whatever it is. */
  readonly etag: string;
  readonly requestId?: string;
}

export interface DeletePorts {
  readonly store: {
    delete(
      scope: NamespaceKey,
      id: string,
      options: { readonly etag?: string; readonly now: number; readonly request?: IdempotentRequest },
    ): Promise<void>;
  };
  readonly clock: Clock;
}

/** Deletes one resource for good, whichever store keeps it. Rejects as the store does. */
export async function deleteOne(
  rpc: string,
  ports: DeletePorts,
  input: DeleteInput,
  context: CallContext,
): Promise<void> {
  const now = ports.clock.now();
  const { requestId, ...body } = input;
  const request = idempotentRequest(context, rpc, requestId, body, now);
  await ports.store.delete(namespaceKeyOf(context.caller, input.namespace), input.id, {
    now,
    ...(input.etag === "" ? {} : { etag: input.etag }),
    ...(request === undefined ? {} : { request }),
  });
}
