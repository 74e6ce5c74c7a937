import { OperationsService } from "#gen/recollect/v1/operations_pb.js";
import type { ReembeddingStore } from "../ports/embedding/reembedding-store.ts";
import type { IndexStore } from "../ports/index-store.ts";
import { type GetEmbeddingInfoPorts, getEmbeddingInfo } from "../services/operations/get-embedding-info.ts";
import { getIndexInfo } from "../services/operations/get-index-info.ts";
import { getReembedding } from "../services/operations/get-reembedding.ts";
import { type GetServerInfoPorts, getServerInfo } from "../services/operations/get-server-info.ts";
import { rebuildIndex } from "../services/operations/rebuild-index.ts";
import { type StartReembeddingPorts, startReembedding } from "../services/operations/start-reembedding.ts";
import { defined } from "./convert/common.ts";
import {
  fromEmbeddingInfo,
  fromIndexInfo,
  fromRebuildProgress,
  fromReembedding,
  fromServerInfo,
} from "./convert/operations.ts";
import { type ServedService, serve } from "./handler.ts";

export type OperationsPorts = Omit<GetEmbeddingInfoPorts & StartReembeddingPorts, "reembedding"> & {
  readonly server: GetServerInfoPorts;
  readonly indexes: IndexStore;
  readonly reembedding: ReembeddingStore;
};

/** OperationsService: each handler converts, calls one use case, and converts back. */
export function operationsHandlers(ports: OperationsPorts): ServedService {
  return serve(OperationsService, {
    getServerInfo: async () => fromServerInfo(await getServerInfo(ports.server)),

    getIndexInfo: async () => ({ indexes: (await getIndexInfo(ports)).map(fromIndexInfo) }),

    rebuildIndex: async function* (_request, context) {
      for await (const progress of rebuildIndex(ports, context)) yield fromRebuildProgress(progress);
    },

    getEmbeddingInfo: async () => fromEmbeddingInfo(await getEmbeddingInfo(ports)),

    startReembedding: async ({ model, dimension, requestId }, context) => {
      const input = { model, dimension, ...defined({ requestId }) };
      return { reembedding: fromReembedding(await startReembedding(ports, input, context)) };
    },

    getReembedding: async ({ id }) => ({ reembedding: fromReembedding(await getReembedding(ports, { id })) }),
  });
}
