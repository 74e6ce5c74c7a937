import type { MemoryService } from "#gen/recollect/v1/memory_pb.js";
import { namespaceOf } from "../../../domain/access/tenancy.ts";
import { getMemory } from "../../../services/memory/read-memories.ts";
import { fromStoredMemory } from "../../convert/memory.ts";
import type { Handler } from "../../handler.ts";

export function getMemoryHandler(
  ports: Parameters<typeof getMemory>[0],
): Handler<typeof MemoryService.method.getMemory> {
  return async (request, context) => {
    const memory = await getMemory(ports, request, context);
    return { memory: fromStoredMemory(memory, namespaceOf(request)) };
  };
}
