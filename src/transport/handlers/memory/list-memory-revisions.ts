import type { MemoryService } from "#gen/recollect/v1/memory_pb.js";
import { namespaceOf } from "../../../domain/access/tenancy.ts";
import { answerBytesOf } from "../../../domain/answer-size.ts";
import { MAX_PAGE_BYTES } from "../../../domain/page-token.ts";
import { listMemoryRevisions } from "../../../services/memory/list-revisions.ts";
import { fittingRevisions, textBytes } from "../../convert/answer-fit.ts";
import { fromRevision } from "../../convert/memory.ts";
import type { Handler } from "../../handler.ts";

export function listMemoryRevisionsHandler(
  ports: Parameters<typeof listMemoryRevisions>[0],
): Handler<typeof MemoryService.method.listMemoryRevisions> {
  return async (request, context) => {
    const namespace = namespaceOf(request);
    const maxBytes = answerBytesOf(request.maxAnswerBytes, MAX_PAGE_BYTES);
    const { id, pageSize, pageToken } = request;
    const { revisions, nextPageToken } = await listMemoryRevisions(
      ports,
      {
        ...{ namespace: request.namespace, id, pageSize, pageToken, maxBytes },
        fitting: (found, tokenAfter) =>
          fittingRevisions(found, { namespace, maxBytes, beside: (fitted) => textBytes(tokenAfter(fitted)) }),
      },
      context,
    );
    return { revisions: revisions.map((revision) => fromRevision(revision, namespace)), nextPageToken };
  };
}
