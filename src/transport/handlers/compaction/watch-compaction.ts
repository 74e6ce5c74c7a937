import type { CompactionService } from "#gen/recollect/v1/compaction_pb.js";
import { namespaceOf } from "../../../domain/access/tenancy.ts";
import { watchCompaction } from "../../../services/compaction/watch-compaction.ts";
import { fromStoredRun } from "../../convert/compaction.ts";
import type { Handler } from "../../handler.ts";

export function watchCompactionHandler(
  ports: Parameters<typeof watchCompaction>[0],
): Handler<typeof CompactionService.method.watchCompaction> {
  return async function* (request, context) {
    for await (const { stored, resumeToken } of watchCompaction(ports, request, context)) {
      yield { compaction: fromStoredRun(stored, namespaceOf(request)), resumeToken };
    }
  };
}
