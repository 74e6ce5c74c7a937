import type { NamespaceKey } from "../../domain/access/tenancy.ts";
import type { MemoryFilter } from "../../domain/memory/filter.ts";
import type { IdempotentRequest } from "../idempotency.ts";

/** Deletes many memories; see Memories. */
export interface MemoryPurge {
  /**
   * Deletes the memories that pass the filter, in bounded atomic steps: other calls are served in between, and a crash
   * leaves some deleted. Resolves with the number of deleted memories. A replay of a completed request deletes nothing and
   * resolves with the same number, even if the namespace did not exist then or was created anew since. Rejects with
   * REQUEST_ID_REUSED.
   */
  run(
    namespaceKey: NamespaceKey,
    filter: MemoryFilter,
    options: { readonly now: number; readonly request?: IdempotentRequest },
  ): Promise<number>;
}
