import type { CallContext } from "../call.ts";
import { type DeleteInput, type DeletePorts, deleteOne } from "../delete-one.ts";

/** Deletes a memory for good. Rejects with MEMORY_NOT_FOUND or ETAG_MISMATCH. */
export function deleteMemory(ports: DeletePorts, input: DeleteInput, context: CallContext): Promise<void> {
  return deleteOne("DeleteMemory", ports, input, context);
}
