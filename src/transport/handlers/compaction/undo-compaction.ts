import type { CompactionService } from "#gen/recollect/v1/compaction_pb.js";
import { namespaceOf } from "../../../domain/access/tenancy.ts";
import { type UndoPorts, undoCompaction } from "../../../services/compaction/undo-compaction.ts";
import { defined } from "../../convert/common.ts";
import { fromStoredRun } from "../../convert/compaction.ts";
import type { Handler } from "../../handler.ts";

/** Ids in a response: less than 2 MiB. */
const MAX_NAMED = 10_000;

export function undoCompactionHandler(
  ports: UndoPorts,
): Handler<typeof CompactionService.method.undoCompaction> {
  return async (request, context) => {
    const { namespace, id, memoryId, requestId } = request;
    const { stored, conflictIds } = await undoCompaction(
      ports,
      { namespace, id, memoryId, ...defined({ requestId }) },
      context,
    );
    return {
      compaction: fromStoredRun(stored, namespaceOf(request)),
      conflictIds: conflictIds.slice(0, MAX_NAMED),
    };
  };
}
