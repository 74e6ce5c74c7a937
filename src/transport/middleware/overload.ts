import type { DescMethod } from "@bufbuild/protobuf";
import { CacheService } from "#gen/recollect/v1/cache_pb.js";
import { MemoryService } from "#gen/recollect/v1/memory_pb.js";
import type { Caller } from "../../domain/access/tenancy.ts";
import type { WorkKind, WorkQueue } from "../../ports/work-queue.ts";
import type { RefuseEarly } from "../grpc/early-refusal.ts";
import { methodPath } from "../handler.ts";
import type { Middleware } from "../pipeline.ts";
import type { Authenticator } from "./authentication.ts";
import { authorize } from "./authorization.ts";

/**
 * Calls whose work is queued. Others, such as GetMemory, cost little more than refusing them, and are not refused. Nor is
 * LookupCache: without time for the search by meaning, it answers a miss with that reason.
 */
const KIND_OF_METHOD: ReadonlyMap<DescMethod, WorkKind> = new Map<DescMethod, WorkKind>([
  [MemoryService.method.searchMemories, "SEARCH"],
  [MemoryService.method.listMemories, "READ"],
  [MemoryService.method.createMemory, "WRITE"],
  [MemoryService.method.batchCreateMemories, "WRITE"],
  [MemoryService.method.listMemoryRevisions, "READ"],
  [MemoryService.method.updateMemory, "WRITE"],
  [MemoryService.method.restoreMemory, "WRITE"],
  [CacheService.method.storeCacheEntry, "WRITE"],
]);

const METHOD_OF_PATH: ReadonlyMap<string, DescMethod> = new Map(
  [...KIND_OF_METHOD.keys()].map((method) => [methodPath(method), method]),
);

/**
 * Refuses a call whose work would begin too late, with SERVER_OVERLOADED, before its message is decoded. Comes after
 * authentication, because the queue is fair by tenant.
 */
export function overload(queue: Pick<WorkQueue, "refusal">): Middleware {
  return {
    name: "overload",
    begin: (call) => {
      const kind = KIND_OF_METHOD.get(call.method);
      if (kind === undefined) return;
      if (call.caller === undefined) throw new TypeError("overload before authentication");
      const deadline = performance.now() + call.remainingMs();
      const refusal = queue.refusal({ tenant: call.caller.tenant, kind, deadline });
      if (refusal !== undefined) throw refusal;
    },
  };
}

/** The same by the headers of a gRPC call alone, while work is queued. Leaves unauthorized calls to the middleware. */
export function refuseOverload(
  queue: Pick<WorkQueue, "refusal" | "hasQueuedWork">,
  authenticate: Authenticator,
): RefuseEarly {
  return (call) => {
    if (!queue.hasQueuedWork) return undefined;
    const method = METHOD_OF_PATH.get(call.path);
    if (method === undefined) return undefined;
    let caller: Caller;
    try {
      caller = authenticate(call);
      authorize(caller, method);
    } catch {
      // The middleware throws it again.
      return undefined;
    }
    const kind = KIND_OF_METHOD.get(method);
    if (kind === undefined) return undefined;
    return queue.refusal({ tenant: caller.tenant, kind, deadline: performance.now() + call.remainingMs });
  };
}
