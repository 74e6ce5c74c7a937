import { MemorySchema, type MemoryService, type Memory as ProtoMemory } from "#gen/recollect/v1/memory_pb.js";
import { namespaceOf } from "../../../domain/access/tenancy.ts";
import { invalidField } from "../../../domain/errors.ts";
import { updateMemory } from "../../../services/memory/update-memory.ts";
import { defined } from "../../convert/common.ts";
import { fromStoredMemory, toDraft } from "../../convert/memory.ts";
import { toMutableFields, toUpdatePaths } from "../../convert/update-mask.ts";
import type { Handler } from "../../handler.ts";
import { invalidRequest, validator } from "../../middleware/validation.ts";

export function updateMemoryHandler(
  ports: Parameters<typeof updateMemory>[0],
): Handler<typeof MemoryService.method.updateMemory> {
  return async (request, context) => {
    const { memory } = request;
    if (memory === undefined || memory.id === "") throw invalidField("memory.id", "is required");
    const paths = toUpdatePaths(request.updateMask, memory);
    validateUpdatedFields(memory, paths);
    const updated = await updateMemory(
      ports,
      {
        namespace: request.namespace,
        id: memory.id,
        etag: memory.etag,
        patch: toDraft(memory, "memory"),
        fields: toMutableFields(paths),
        ...defined({ requestId: request.requestId }),
      },
      context,
    );
    return { memory: fromStoredMemory(updated, namespaceOf(request)) };
  };
}

/** Throws REQUEST_INVALID when the id or an updated field breaks a rule; the fields that are not updated may. */
function validateUpdatedFields(memory: ProtoMemory, paths: readonly string[]): void {
  const checked = validator.validate(MemorySchema, memory);
  if (checked.kind === "error") throw checked.error;
  if (checked.kind === "valid") return;
  const broken = checked.error.violations.filter(({ field }) => {
    const first = field[0];
    return first?.kind === "field" && (first.name === "id" || paths.includes(first.name));
  });
  if (broken.length > 0) throw invalidRequest({ violations: broken }, "memory");
}
