import type { MemoryService } from "#gen/recollect/v1/memory_pb.js";
import { namespaceOf } from "../../../domain/access/tenancy.ts";
import { type CreateMemoriesPorts, createMemories } from "../../../services/memory/create-memories.ts";
import { ofDuplicate } from "../../convert/batch-results.ts";
import { defined } from "../../convert/common.ts";
import { fromStoredMemory, toDraft, toOnDuplicate } from "../../convert/memory.ts";
import { type Handler, required } from "../../handler.ts";

export function createMemoryHandler(
  ports: CreateMemoriesPorts,
): Handler<typeof MemoryService.method.createMemory> {
  return async (request, context) => {
    const [outcome] = await createMemories(
      ports,
      {
        rpc: "CreateMemory",
        namespace: request.namespace,
        drafts: [toDraft(required(request.memory), "memory")],
        pathOf: () => "memory",
        ...defined({ onDuplicate: toOnDuplicate(request.onDuplicate), requestId: request.requestId }),
      },
      context,
    );
    if (outcome === undefined) throw new TypeError("no outcome for the memory");
    if (outcome.kind === "refused") throw outcome.error;
    return {
      memory: fromStoredMemory(outcome.memory, namespaceOf(request)),
      ...ofDuplicate(outcome),
    };
  };
}
