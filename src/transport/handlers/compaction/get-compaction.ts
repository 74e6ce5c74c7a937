import type { CompactionService } from "#gen/recollect/v1/compaction_pb.js";
import { namespaceOf } from "../../../domain/access/tenancy.ts";
import { getCompaction } from "../../../services/compaction/read-compactions.ts";
import { fromGroup, fromStoredRun } from "../../convert/compaction.ts";
import type { Handler } from "../../handler.ts";

export function getCompactionHandler(
  ports: Parameters<typeof getCompaction>[0],
): Handler<typeof CompactionService.method.getCompaction> {
  return async (request, context) => {
    const { stored, groups, nextPageToken } = await getCompaction(ports, request, context);
    return {
      compaction: fromStoredRun(stored, namespaceOf(request)),
      groups: groups.map(fromGroup),
      nextPageToken,
    };
  };
}
