import type { CallContext } from "../call.ts";
import { type DeleteInput, type DeletePorts, deleteOne } from "../delete-one.ts";

/** Deletes an entry permanently. Rejects with CACHE_ENTRY_NOT_FOUND or ETAG_MISMATCH. */
export function deleteCacheEntry(
  ports: DeletePorts,
  input: DeleteInput,
  context: CallContext,
): Promise<void> {
  return deleteOne("DeleteCacheEntry", ports, input, context);
}
