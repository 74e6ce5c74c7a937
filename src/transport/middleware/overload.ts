import type { DescMethod } from "@bufbuild/protobuf";
import { CacheService } from "#gen/recollect/v1/cache_pb.js";
import { MemoryService } from "#gen/recollect/v1/memory_pb.js";
import type { WorkKind, WorkQueue } from "../../ports/work-queue.ts";
import type { Middleware } from "../pipeline.ts";

/**
 * Calls whose work waits for its turn. Others, such as a memory by its id, cost little more than to refuse them, and are
 * not refused. Nor is a lookup in the cache: where there is no time to look by meaning, it is a miss that says so.
 */
const KIND_OF_METHOD: ReadonlyMap<DescMethod, WorkKind> = new Map<DescMethod, WorkKind>([
  [MemoryService.method.searchMemories, "SEARCH"],
  [MemoryService.method.listMemories, "READ"],
  [MemoryService.method.createMemory, "WRITE"],
  [MemoryService.method.batchCreateMemories, "WRITE"],
  [MemoryService.method.updateMemory, "WRITE"],
  [CacheService.method.storeCacheEntry, "WRITE"],
]);

/**
 * Refuses a call, with SERVER_OVERLOADED, whose work would begin too late. Stands behind authentication, for tenants wait
 * for their own work first, and before the message is decoded: a refused call costs what gRPC costs.
 */
export function overload(queue: Pick<WorkQueue, "admit">): Middleware {
  return {
    name: "overload",
    begin: (call) => {
      const kind = KIND_OF_METHOD.get(call.method);
      if (kind === undefined) return;
      if (call.caller === undefined) throw new TypeError("overload before authentication");
      const deadline = performance.now() + call.remainingMs();
      queue.admit({ tenant: call.caller.tenant, kind, deadline });
    },
  };
}
