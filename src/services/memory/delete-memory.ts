import { namespaceKeyOf } from "../../domain/access/tenancy.ts";
import { RecollectError } from "../../domain/errors.ts";
import type { StoredMemory } from "../../domain/memory/memory.ts";
import type { Clock } from "../../ports/clock.ts";
import type { MemoryReader } from "../../ports/memory/reader.ts";
import type { MemoryWriter } from "../../ports/memory/writer.ts";
import type { CallContext } from "../call.ts";
import { type EraseFromSummary, summaryOfSource } from "../compaction/erase-sources.ts";
import { type DeleteInput, deleteOne } from "../delete-one.ts";

/**
 * Deletes a memory permanently. A summary that was made of it is made again without it before. Rejects with MEMORY_NOT_FOUND
 * or ETAG_MISMATCH.
 */
export async function deleteMemory(
  ports: {
    readonly memories: {
      readonly reader: Pick<MemoryReader, "get">;
      readonly writer: Pick<MemoryWriter, "delete">;
    };
    readonly eraseFromSummary: EraseFromSummary;
    readonly clock: Clock;
  },
  input: DeleteInput,
  context: CallContext,
): Promise<void> {
  const { memories, clock } = ports;
  const namespaceKey = namespaceKeyOf(context.caller, input.namespace);
  const [memory] = await unlessDamaged(memories.reader.get(namespaceKey, [input.id], clock.now()));
  const summaryId = memory && summaryOfSource(memory);
  // With another etag the deletion is refused below.
  if (summaryId !== undefined && (input.etag === "" || input.etag === memory?.etag)) {
    await ports.eraseFromSummary(namespaceKey, summaryId, new Set([input.id]), context.signal);
  }
  return deleteOne("DeleteMemory", { store: memories.writer, clock }, input, context);
}

/** A damaged memory does not tell its summary any more, and can be deleted all the same. */
async function unlessDamaged(
  reading: Promise<(StoredMemory | undefined)[]>,
): Promise<(StoredMemory | undefined)[]> {
  try {
    return await reading;
  } catch (error) {
    if (!(error instanceof RecollectError) || error.reason !== "STORE_CORRUPT") throw error;
    return [];
  }
}
