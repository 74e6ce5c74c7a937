import type { OperationsService } from "#gen/recollect/v1/operations_pb.js";
import { rebuildIndex } from "../../../services/operations/rebuild-index.ts";
import { fromRebuildProgress } from "../../convert/operations.ts";
import type { Handler } from "../../handler.ts";

export function rebuildIndexHandler(
  ports: Parameters<typeof rebuildIndex>[0],
): Handler<typeof OperationsService.method.rebuildIndex> {
  return async function* (_request, context) {
    for await (const progress of rebuildIndex(ports, context)) yield fromRebuildProgress(progress);
  };
}
