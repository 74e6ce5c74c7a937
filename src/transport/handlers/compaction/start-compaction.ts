import type { CompactionService } from "#gen/recollect/v1/compaction_pb.js";
import { namespaceOf } from "../../../domain/access/tenancy.ts";
import { startCompaction } from "../../../services/compaction/start-compaction.ts";
import { defined } from "../../convert/common.ts";
import { fromGroup, fromStoredRun, toOverrides } from "../../convert/compaction.ts";
import type { Handler } from "../../handler.ts";

export function startCompactionHandler(
  ports: Parameters<typeof startCompaction>[0],
): Handler<typeof CompactionService.method.startCompaction> {
  return async (request, context) => {
    const { namespace, userId, validateOnly, requireApproval, requestId } = request;
    const { stored, groups, truncated } = await startCompaction(
      ports,
      {
        ...{ namespace, userId, validateOnly, requireApproval },
        overrides: toOverrides(request),
        ...defined({ requestId }),
      },
      context,
    );
    return {
      compaction: fromStoredRun(stored, namespaceOf(request)),
      groups: groups.map(fromGroup),
      truncated,
    };
  };
}
