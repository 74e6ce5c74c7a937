import { OperationsService } from "#gen/recollect/v1/operations_pb.js";
import type { ReembeddingStore } from "../../../ports/embedding/reembedding-store.ts";
import type { IndexStore } from "../../../ports/index-store.ts";
import type { GetEmbeddingInfoPorts } from "../../../services/operations/get-embedding-info.ts";
import type { GetServerInfoPorts } from "../../../services/operations/get-server-info.ts";
import type { StartReembeddingPorts } from "../../../services/operations/start-reembedding.ts";
import { type ServedService, serve } from "../../handler.ts";
import { getEmbeddingInfoHandler } from "./get-embedding-info.ts";
import { getIndexInfoHandler } from "./get-index-info.ts";
import { getReembeddingHandler } from "./get-reembedding.ts";
import { getServerInfoHandler } from "./get-server-info.ts";
import { rebuildIndexHandler } from "./rebuild-index.ts";
import { startReembeddingHandler } from "./start-reembedding.ts";

/** The ports of all use cases of OperationsService. */
export type OperationsPorts = Omit<GetEmbeddingInfoPorts & StartReembeddingPorts, "reembedding"> & {
  readonly server: GetServerInfoPorts;
  readonly indexes: IndexStore;
  readonly reembedding: ReembeddingStore;
};

/** OperationsService. Each handler converts the request, calls one use case, and converts its output. */
export function operationsHandlers(ports: OperationsPorts): ServedService {
  return serve(OperationsService, {
    getServerInfo: getServerInfoHandler(ports.server),
    getIndexInfo: getIndexInfoHandler(ports),
    rebuildIndex: rebuildIndexHandler(ports),
    getEmbeddingInfo: getEmbeddingInfoHandler(ports),
    startReembedding: startReembeddingHandler(ports),
    getReembedding: getReembeddingHandler(ports),
  });
}
