import type { Clock } from "../../ports/clock.ts";
import type { MemoryWriter } from "../../ports/memory/writer.ts";
import type { CallContext } from "../call.ts";
import { type DeleteInput, deleteOne } from "../delete-one.ts";

/** Deletes a memory for good. Rejects with MEMORY_NOT_FOUND or ETAG_MISMATCH. */
export function deleteMemory(
  ports: { readonly memories: { readonly writer: Pick<MemoryWriter, "delete"> }; readonly clock: Clock },
  input: DeleteInput,
  context: CallContext,
): Promise<void> {
  return deleteOne("DeleteMemory", { store: ports.memories.writer, clock: ports.clock }, input, context);
}
