import { toJson } from "@bufbuild/protobuf";
import { MemorySchema } from "#gen/recollect/v1/memory_pb.js";
import { connect } from "./client.ts";
import { EXIT_CODE, type ExitCode } from "./exit-code.ts";
import { formatMemory } from "./format-memory.ts";
import type { GlobalOptions } from "./global-options.ts";
import { print } from "./output.ts";

export interface MemoryRestoreOptions extends GlobalOptions {
  /** Absent: the present content. */
  readonly revision?: number;
}

/** Restores a memory and prints it. */
export async function memoryRestore(id: string, options: MemoryRestoreOptions): Promise<ExitCode> {
  const { namespace, revision = 0 } = options;
  const { memory } = await connect(options).memory.restoreMemory({ namespace, id, revision });
  if (memory === undefined) return EXIT_CODE.error;
  if (options.json) print(JSON.stringify(toJson(MemorySchema, memory)));
  else for (const line of formatMemory(memory)) print(line);
  return EXIT_CODE.ok;
}
