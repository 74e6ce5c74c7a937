import type { MessageInitShape } from "@bufbuild/protobuf";
import {
  type ImportMemoriesRequest,
  type ImportMemoriesResponseSchema,
  MemorySchema,
  type MemoryService,
  type Memory as ProtoMemory,
} from "#gen/recollect/v1/memory_pb.js";
import { RecollectError } from "../domain/errors.ts";
import { EVERY_STATE } from "../domain/memory/filter.ts";
import type { ImportedDraft } from "../domain/memory/imported-draft.ts";
import { mapInTurns } from "../lib/yield-to-event-loop.ts";
import type { Memories } from "../ports/memory/memories.ts";
import type { WorkQueue } from "../ports/work-queue.ts";
import { exportMemories } from "../services/memory/export-memories.ts";
import {
  type ImportMemoriesPorts,
  type ImportProgress,
  type ImportStep,
  importMemories,
} from "../services/memory/import-memories.ts";
import { refusalOf } from "./bounds/refused-item.ts";
import { exportedMemory, toFilter, toImportedDraft } from "./convert/memory.ts";
import type { Handlers } from "./handler.ts";
import { invalidRequest, validator } from "./middleware/validation.ts";
import { statusOf, toRpcStatus } from "./status.ts";

export type TransferPorts = ImportMemoriesPorts & {
  readonly work: WorkQueue;
  readonly memories: Pick<Memories, "exporter">;
};

/** The streams of MemoryService that carry memories out and in. */
export function transferHandlers(
  ports: TransferPorts,
): Pick<Handlers<typeof MemoryService>, "exportMemories" | "importMemories"> {
  return {
    exportMemories: async function* (request, context) {
      const { namespace, resumeToken } = request;
      const filter = toFilter(request.filter, EVERY_STATE.states);
      for await (const one of exportMemories(ports, { namespace, filter, resumeToken }, context)) {
        yield { memory: exportedMemory(one.memory), resumeToken: one.resumeToken };
      }
    },

    importMemories: async function* (requests, context) {
      for await (const progress of importMemories(ports, stepsOf(requests), context)) {
        yield importResponse(progress);
      }
    },
  };
}

async function* stepsOf(requests: AsyncIterable<ImportMemoriesRequest>): AsyncGenerator<ImportStep> {
  for await (const { namespace, sequence, memories } of requests) {
    yield {
      namespace,
      sequence,
      memories: await mapInTurns(
        memories,
        ({ text }) => text.length,
        (memory, index) => importedOrError(memory, `memories[${index}]`),
      ),
    };
  }
}

/** A memory is checked by itself: its error is its own answer, not that of the stream. */
function importedOrError(memory: ProtoMemory, path: string): ImportedDraft | RecollectError {
  const refusal = refusalOf(memory);
  if (refusal !== undefined) return refusal;
  try {
    const checked = validator.validate(MemorySchema, memory);
    if (checked.kind === "invalid") throw invalidRequest(checked.error, path);
    if (checked.kind === "error") throw checked.error;
    return toImportedDraft(memory, path);
  } catch (error) {
    if (error instanceof RecollectError) return error;
    throw error;
  }
}

function importResponse(progress: ImportProgress): MessageInitShape<typeof ImportMemoriesResponseSchema> {
  return {
    sequence: progress.sequence,
    importedCount: progress.imported,
    skippedCount: progress.skipped,
    expiredCount: progress.expired,
    refusedCount: progress.refused,
    refusals: progress.refusals.map(({ index, error }) => ({
      index,
      error: toRpcStatus(statusOf(error, "")),
    })),
  };
}
