import type { MemoryService } from "#gen/recollect/v1/memory_pb.js";
import { deleteNamespace } from "../../../services/memory/namespaces.ts";
import { defined } from "../../convert/common.ts";
import type { Handler } from "../../handler.ts";

export function deleteNamespaceHandler(
  ports: Parameters<typeof deleteNamespace>[0],
): Handler<typeof MemoryService.method.deleteNamespace> {
  return async ({ namespace, force, requestId }, context) => {
    const { memories, cacheEntries } = await deleteNamespace(
      ports,
      { namespace, force, ...defined({ requestId }) },
      context,
    );
    return { memoryCount: memories, cacheEntryCount: cacheEntries };
  };
}
