import type { MemoryService } from "#gen/recollect/v1/memory_pb.js";
import { purgeMemories } from "../../../services/memory/purge-memories.ts";
import { defined } from "../../convert/common.ts";
import { toFilterOfPurge } from "../../convert/memory.ts";
import type { Handler } from "../../handler.ts";

export function purgeMemoriesHandler(
  ports: Parameters<typeof purgeMemories>[0],
): Handler<typeof MemoryService.method.purgeMemories> {
  return async (request, context) => {
    const { namespace, force, requestId } = request;
    const filter = toFilterOfPurge(request.filter);
    const count = await purgeMemories(
      ports,
      { namespace, filter, force, ...defined({ requestId }) },
      context,
    );
    return { count };
  };
}
