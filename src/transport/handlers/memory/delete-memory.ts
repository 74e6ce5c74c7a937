import type { MemoryService } from "#gen/recollect/v1/memory_pb.js";
import { deleteMemory } from "../../../services/memory/delete-memory.ts";
import { defined } from "../../convert/common.ts";
import type { Handler } from "../../handler.ts";

export function deleteMemoryHandler(
  ports: Parameters<typeof deleteMemory>[0],
): Handler<typeof MemoryService.method.deleteMemory> {
  return async ({ namespace, id, etag, requestId }, context) => {
    await deleteMemory(ports, { namespace, id, etag, ...defined({ requestId }) }, context);
    return {};
  };
}
