import type { CompactionService } from "#gen/recollect/v1/compaction_pb.js";
import { namespaceOf } from "../../../domain/access/tenancy.ts";
import { approveCompaction, type DecidePorts } from "../../../services/compaction/decide-compaction.ts";
import { defined } from "../../convert/common.ts";
import { fromStoredRun } from "../../convert/compaction.ts";
import type { Handler } from "../../handler.ts";

export function approveCompactionHandler(
  ports: DecidePorts,
): Handler<typeof CompactionService.method.approveCompaction> {
  return async (request, context) => {
    const { namespace, id, etag, requestId } = request;
    const stored = await approveCompaction(
      ports,
      { namespace, id, etag, ...defined({ requestId }) },
      context,
    );
    return { compaction: fromStoredRun(stored, namespaceOf(request)) };
  };
}
