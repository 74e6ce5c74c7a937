import type { MessageInitShape } from "@bufbuild/protobuf";
import type {
  ImportMemoriesRequest,
  ImportMemoriesResponseSchema,
  MemoryService,
} from "#gen/recollect/v1/memory_pb.js";
import { mapYielding } from "../../../lib/yield-to-event-loop.ts";
import {
  type ImportMemoriesPorts,
  type ImportProgress,
  type ImportStep,
  importMemories,
} from "../../../services/memory/import-memories.ts";
import { toImportedDraft } from "../../convert/memory.ts";
import type { Handler } from "../../handler.ts";
import { statusOf, toRpcStatus } from "../../status.ts";
import { checkedItem } from "./checked-item.ts";

export function importMemoriesHandler(
  ports: ImportMemoriesPorts,
): Handler<typeof MemoryService.method.importMemories> {
  return async function* (requests, context) {
    for await (const progress of importMemories(ports, stepsOf(requests), context)) {
      yield importResponse(progress);
    }
  };
}

async function* stepsOf(requests: AsyncIterable<ImportMemoriesRequest>): AsyncGenerator<ImportStep> {
  for await (const { namespace, sequence, memories } of requests) {
    yield {
      namespace,
      sequence,
      memories: await mapYielding(
        memories,
        ({ text }) => text.length,
        (memory, index) => checkedItem(memory, `memories[${index}]`, toImportedDraft),
      ),
    };
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
