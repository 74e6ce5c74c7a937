import type { MemoryService } from "#gen/recollect/v1/memory_pb.js";
import { EVERY_STATE } from "../../../domain/memory/filter.ts";
import { exportMemories } from "../../../services/memory/export-memories.ts";
import { exportedMemory, toFilter } from "../../convert/memory.ts";
import type { Handler } from "../../handler.ts";

export function exportMemoriesHandler(
  ports: Parameters<typeof exportMemories>[0],
): Handler<typeof MemoryService.method.exportMemories> {
  return async function* (request, context) {
    const { namespace, resumeToken } = request;
    const filter = toFilter(request.filter, EVERY_STATE.states);
    for await (const one of exportMemories(ports, { namespace, filter, resumeToken }, context)) {
      yield { memory: exportedMemory(one.memory), resumeToken: one.resumeToken };
    }
  };
}
