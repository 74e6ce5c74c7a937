import type { CompactionService } from "#gen/recollect/v1/compaction_pb.js";
import { namespaceOf } from "../../../domain/access/tenancy.ts";
import { cancelCompaction, type DecidePorts } from "../../../services/compaction/decide-compaction.ts";
import { defined } from "../../convert/common.ts";
import { fromStoredRun } from "../../convert/compaction.ts";
import type { Handler } from "../../handler.ts";

export function cancelCompactionHandler(
  ports: DecidePorts,
): Handler<typeof CompactionService.method.cancelCompaction> {
  return async (request, context) => {
    const { namespace, id, requestId } = request;
    const stored = await cancelCompaction(ports, { namespace, id, ...defined({ requestId }) }, context);
    return { compaction: fromStoredRun(stored, namespaceOf(request)) };
  };
}
