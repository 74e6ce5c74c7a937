import { CompactionSchema, type CompactionService } from "#gen/recollect/v1/compaction_pb.js";
import { namespaceOf } from "../../../domain/access/tenancy.ts";
import { withinBytes } from "../../../domain/page-token.ts";
import { listCompactions } from "../../../services/compaction/read-compactions.ts";
import { fieldBytes } from "../../convert/answer-fit.ts";
import { fromStoredRun } from "../../convert/compaction.ts";
import type { Handler } from "../../handler.ts";

/** Most bytes of the runs in a response; more are on the next page. */
export const MAX_RUNS_BYTES = 1024 * 1024;

export function listCompactionsHandler(
  ports: Parameters<typeof listCompactions>[0],
): Handler<typeof CompactionService.method.listCompactions> {
  return async (request, context) => {
    const namespace = namespaceOf(request);
    const { runs, nextPageToken } = await listCompactions(
      ports,
      {
        namespace: request.namespace,
        pageSize: request.pageSize,
        pageToken: request.pageToken,
        fitting: (found) =>
          withinBytes(
            found,
            (one) => fieldBytes(CompactionSchema, fromStoredRun(one, namespace)),
            MAX_RUNS_BYTES,
          ).length,
      },
      context,
    );
    return { compactions: runs.map((stored) => fromStoredRun(stored, namespace)), nextPageToken };
  };
}
