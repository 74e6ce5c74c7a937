import type { MemoryService } from "#gen/recollect/v1/memory_pb.js";
import { namespaceOf } from "../../../domain/access/tenancy.ts";
import { answerBytesOf } from "../../../domain/answer-size.ts";
import { batchGetMemories } from "../../../services/memory/read-memories.ts";
import { fittingMemories, textsBytes } from "../../convert/answer-fit.ts";
import { fromStoredMemory } from "../../convert/memory.ts";
import type { Handler } from "../../handler.ts";

export function batchGetMemoriesHandler(
  ports: Parameters<typeof batchGetMemories>[0],
): Handler<typeof MemoryService.method.batchGetMemories> {
  return async (request, context) => {
    const namespace = namespaceOf(request);
    const maxBytes = answerBytesOf(request.maxAnswerBytes);
    const { memories, notFoundIds, omittedIds } = await batchGetMemories(
      ports,
      {
        namespace: request.namespace,
        ids: request.ids,
        fitting: (found, missing) => {
          const missingBytes = textsBytes(missing);
          const beside = (fitted: number): number =>
            missingBytes + textsBytes(found.slice(fitted).map(({ id }) => id));
          return fittingMemories(found, { namespace, maxBytes, beside });
        },
      },
      context,
    );
    return {
      memories: memories.map((memory) => fromStoredMemory(memory, namespace)),
      notFoundIds: [...notFoundIds],
      omittedIds: [...omittedIds],
    };
  };
}
