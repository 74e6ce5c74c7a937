import type { OperationsService } from "#gen/recollect/v1/operations_pb.js";
import { type GetServerInfoPorts, getServerInfo } from "../../../services/operations/get-server-info.ts";
import { fromServerInfo } from "../../convert/operations.ts";
import type { Handler } from "../../handler.ts";

export function getServerInfoHandler(
  ports: GetServerInfoPorts,
): Handler<typeof OperationsService.method.getServerInfo> {
  return async () => fromServerInfo(await getServerInfo(ports));
}
