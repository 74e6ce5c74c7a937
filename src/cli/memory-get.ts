import { toJson } from "@bufbuild/protobuf";
import { MemorySchema } from "#gen/recollect/v1/memory_pb.js";
import { connect } from "./client.ts";
import { EXIT_CODE, type ExitCode } from "./exit-code.ts";
import { formatMemory } from "./format-memory.ts";
import type { GlobalOptions } from "./global-options.ts";
import { print, printError } from "./output.ts";

/** Maximum number of ids in one call. */
const MAX_IDS = 200;

/** Prints memories by id, in the order of the ids. Exits with 1 when an id is unknown. */
export async function memoryGet(ids: readonly string[], options: GlobalOptions): Promise<ExitCode> {
  const clients = connect(options);
  let missing = 0;
  let left = ids;
  while (left.length > 0) {
    const { memories, notFoundIds, omittedIds } = await clients.memory.batchGetMemories({
      namespace: options.namespace,
      ids: left.slice(0, MAX_IDS),
    });
    // Omitted ids come first in the next call; each response has at least one memory.
    left = [...omittedIds, ...left.slice(MAX_IDS)];
    for (const memory of memories) {
      if (options.json) print(JSON.stringify(toJson(MemorySchema, memory)));
      else for (const line of formatMemory(memory)) print(line);
    }
    for (const id of notFoundIds) printError(`recollect: no such memory: ${id}`);
    missing += notFoundIds.length;
  }
  return missing === 0 ? EXIT_CODE.ok : EXIT_CODE.no;
}
