import type { OperationsService } from "#gen/recollect/v1/operations_pb.js";
import {
  type GetEmbeddingInfoPorts,
  getEmbeddingInfo,
} from "../../../services/operations/get-embedding-info.ts";
import { fromEmbeddingInfo } from "../../convert/operations.ts";
import type { Handler } from "../../handler.ts";

export function getEmbeddingInfoHandler(
  ports: GetEmbeddingInfoPorts,
): Handler<typeof OperationsService.method.getEmbeddingInfo> {
  return async () => fromEmbeddingInfo(await getEmbeddingInfo(ports));
}
