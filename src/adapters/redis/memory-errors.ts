import { RecollectError } from "../../domain/errors.ts";

export function alreadyExists(namespace: string, id: string): RecollectError {
  return new RecollectError("MEMORY_ALREADY_EXISTS", `memory ${id} exists in namespace ${namespace}`, {
    metadata: { id, namespace },
    resource: { type: "memory", name: id },
  });
}

export function duplicateOf(namespace: string, id: string): RecollectError {
  return new RecollectError("MEMORY_DUPLICATE", `memory ${id} holds the same text`, {
    metadata: { existing_id: id, namespace },
    resource: { type: "memory", name: id },
  });
}

export function etagMismatch(id: string, etag: string): RecollectError {
  return new RecollectError("ETAG_MISMATCH", `memory ${id} has changed`, {
    metadata: { id, current_etag: etag },
    resource: { type: "memory", name: id },
  });
}
