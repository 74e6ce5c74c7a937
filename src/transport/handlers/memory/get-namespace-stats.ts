import type { MemoryService } from "#gen/recollect/v1/memory_pb.js";
import { getNamespaceStats } from "../../../services/memory/namespaces.ts";
import type { Handler } from "../../handler.ts";

export function getNamespaceStatsHandler(
  ports: Parameters<typeof getNamespaceStats>[0],
): Handler<typeof MemoryService.method.getNamespaceStats> {
  return async (request, context) => {
    const { memories, cacheEntries } = await getNamespaceStats(ports, request, context);
    return { memoryCount: memories, cacheEntryCount: cacheEntries };
  };
}
