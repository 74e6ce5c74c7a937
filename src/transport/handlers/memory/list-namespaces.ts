import type { MemoryService } from "#gen/recollect/v1/memory_pb.js";
import { listNamespaces } from "../../../services/memory/namespaces.ts";
import type { Handler } from "../../handler.ts";

export function listNamespacesHandler(
  ports: Parameters<typeof listNamespaces>[0],
): Handler<typeof MemoryService.method.listNamespaces> {
  return async (request, context) => {
    const { names, nextPageToken } = await listNamespaces(ports, request, context);
    return { namespaces: names, nextPageToken };
  };
}
