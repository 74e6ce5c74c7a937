import type { OperationsService } from "#gen/recollect/v1/operations_pb.js";
import { getReembedding } from "../../../services/operations/get-reembedding.ts";
import { fromReembedding } from "../../convert/operations.ts";
import type { Handler } from "../../handler.ts";

export function getReembeddingHandler(
  ports: Parameters<typeof getReembedding>[0],
): Handler<typeof OperationsService.method.getReembedding> {
  return async ({ id }) => ({ reembedding: fromReembedding(await getReembedding(ports, { id })) });
}
