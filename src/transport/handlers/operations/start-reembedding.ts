import type { OperationsService } from "#gen/recollect/v1/operations_pb.js";
import {
  type StartReembeddingPorts,
  startReembedding,
} from "../../../services/operations/start-reembedding.ts";
import { defined } from "../../convert/common.ts";
import { fromReembedding } from "../../convert/operations.ts";
import type { Handler } from "../../handler.ts";

export function startReembeddingHandler(
  ports: StartReembeddingPorts,
): Handler<typeof OperationsService.method.startReembedding> {
  return async ({ model, dimension, requestId }, context) => {
    const input = { model, dimension, ...defined({ requestId }) };
    return { reembedding: fromReembedding(await startReembedding(ports, input, context)) };
  };
}
