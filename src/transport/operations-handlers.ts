import { OperationsService } from "#gen/recollect/v1/operations_pb.js";
import { type GetEmbeddingInfoPorts, getEmbeddingInfo } from "../services/operations/get-embedding-info.ts";
import { fromEmbeddingInfo } from "./convert/operations.ts";
import { type ServedService, serve } from "./handler.ts";

export type OperationsPorts = GetEmbeddingInfoPorts;

/** OperationsService: each handler converts, calls one use case, and converts back. */
export function operationsHandlers(ports: OperationsPorts): ServedService {
  return serve(OperationsService, {
    getEmbeddingInfo: async () => fromEmbeddingInfo(await getEmbeddingInfo(ports)),
  });
}
