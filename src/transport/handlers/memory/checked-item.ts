import { MemorySchema, type Memory as ProtoMemory } from "#gen/recollect/v1/memory_pb.js";
import { RecollectError } from "../../../domain/errors.ts";
import { refusalOf } from "../../bounds/refused-item.ts";
import { invalidRequest, validator } from "../../middleware/validation.ts";

/**
 * One memory of a batch or of an import, validated on its own and converted, or its error: a refused item does not fail
 * the call. `path` names the item in the request, such as `memories[3]`.
 */
export function checkedItem<T>(
  memory: ProtoMemory,
  path: string,
  convert: (memory: ProtoMemory, path: string) => T,
): T | RecollectError {
  const refusal = refusalOf(memory);
  if (refusal !== undefined) return refusal;
  try {
    const checked = validator.validate(MemorySchema, memory);
    if (checked.kind === "invalid") throw invalidRequest(checked.error, path);
    if (checked.kind === "error") throw checked.error;
    return convert(memory, path);
  } catch (error) {
    if (error instanceof RecollectError) return error;
    throw error;
  }
}
