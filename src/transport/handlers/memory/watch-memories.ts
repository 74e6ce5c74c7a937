import type { MessageInitShape } from "@bufbuild/protobuf";
import { timestampFromMs } from "@bufbuild/protobuf/wkt";
import {
  WatchMemoriesResponse_Change as Change,
  type MemoryService,
  type WatchMemoriesResponseSchema,
} from "#gen/recollect/v1/memory_pb.js";
import { namespaceOf } from "../../../domain/access/tenancy.ts";
import { type WatchEvent, watchMemories } from "../../../services/memory/watch-memories.ts";
import { fromStoredMemory } from "../../convert/memory.ts";
import type { Handler } from "../../handler.ts";

export function watchMemoriesHandler(
  ports: Parameters<typeof watchMemories>[0],
): Handler<typeof MemoryService.method.watchMemories> {
  return async function* (request, context) {
    const namespace = namespaceOf(request);
    for await (const event of watchMemories(ports, request, context)) yield watchResponse(event, namespace);
  };
}

function watchResponse(
  { changed, resumeToken }: WatchEvent,
  namespace: string,
): MessageInitShape<typeof WatchMemoriesResponseSchema> {
  if (changed === undefined) return { resumeToken };
  const { change, memory } = changed;
  return {
    change: Change[change.kind],
    memory: memory === undefined ? { id: change.memoryId, namespace } : fromStoredMemory(memory, namespace),
    resumeToken,
    changeTime: timestampFromMs(change.time),
  };
}
