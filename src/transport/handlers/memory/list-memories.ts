import type { MemoryService } from "#gen/recollect/v1/memory_pb.js";
import { namespaceOf } from "../../../domain/access/tenancy.ts";
import { answerBytesOf } from "../../../domain/answer-size.ts";
import { MAX_PAGE_BYTES } from "../../../domain/page-token.ts";
import { listMemories } from "../../../services/memory/read-memories.ts";
import { fittingMemories, textBytes } from "../../convert/answer-fit.ts";
import { fromStoredMemory, toFilterAsOf } from "../../convert/memory.ts";
import type { Handler } from "../../handler.ts";

export function listMemoriesHandler(
  ports: Parameters<typeof listMemories>[0],
): Handler<typeof MemoryService.method.listMemories> {
  return async (request, context) => {
    const namespace = namespaceOf(request);
    const maxBytes = answerBytesOf(request.maxAnswerBytes, MAX_PAGE_BYTES);
    const { memories, nextPageToken } = await listMemories(
      ports,
      {
        namespace: request.namespace,
        filter: toFilterAsOf(request.filter, request.asOf),
        pageSize: request.pageSize,
        pageToken: request.pageToken,
        fitting: (found, tokenAfter) =>
          fittingMemories(found, { namespace, maxBytes, beside: (fitted) => textBytes(tokenAfter(fitted)) }),
      },
      context,
    );
    return { memories: memories.map((memory) => fromStoredMemory(memory, namespace)), nextPageToken };
  };
}
