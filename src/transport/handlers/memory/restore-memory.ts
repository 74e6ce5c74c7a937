import type { MemoryService } from "#gen/recollect/v1/memory_pb.js";
import { namespaceOf } from "../../../domain/access/tenancy.ts";
import { restoreMemory } from "../../../services/memory/restore-memory.ts";
import { defined } from "../../convert/common.ts";
import { fromStoredMemory } from "../../convert/memory.ts";
import type { Handler } from "../../handler.ts";

export function restoreMemoryHandler(
  ports: Parameters<typeof restoreMemory>[0],
): Handler<typeof MemoryService.method.restoreMemory> {
  return async (request, context) => {
    const { namespace, id, revision, etag, requestId } = request;
    const restored = await restoreMemory(
      ports,
      { namespace, id, revision, etag, ...defined({ requestId }) },
      context,
    );
    return { memory: fromStoredMemory(restored, namespaceOf(request)) };
  };
}
