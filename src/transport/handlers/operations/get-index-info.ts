import type { OperationsService } from "#gen/recollect/v1/operations_pb.js";
import { getIndexInfo } from "../../../services/operations/get-index-info.ts";
import { fromIndexInfo } from "../../convert/operations.ts";
import type { Handler } from "../../handler.ts";

export function getIndexInfoHandler(
  ports: Parameters<typeof getIndexInfo>[0],
): Handler<typeof OperationsService.method.getIndexInfo> {
  return async () => ({ indexes: (await getIndexInfo(ports)).map(fromIndexInfo) });
}
