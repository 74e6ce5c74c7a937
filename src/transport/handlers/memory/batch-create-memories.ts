import type { MemoryService, Memory as ProtoMemory } from "#gen/recollect/v1/memory_pb.js";
import { namespaceOf } from "../../../domain/access/tenancy.ts";
import { answerBytesOf } from "../../../domain/answer-size.ts";
import { invalidField } from "../../../domain/errors.ts";
import { mapYielding } from "../../../lib/yield-to-event-loop.ts";
import { type CreateMemoriesPorts, createMemories } from "../../../services/memory/create-memories.ts";
import { MAX_BATCH_METADATA_BYTES } from "../../bounds/limits.ts";
import { fromOutcomes } from "../../convert/batch-results.ts";
import { defined } from "../../convert/common.ts";
import { toDraft, toOnDuplicate } from "../../convert/memory.ts";
import type { Handler } from "../../handler.ts";
import { checkedItem } from "./checked-item.ts";

const MAX_BATCH_BYTES = 8 * 1024 * 1024;

export function batchCreateMemoriesHandler(
  ports: CreateMemoriesPorts,
): Handler<typeof MemoryService.method.batchCreateMemories> {
  return async (request, context) => {
    checkBatchSize(request.memories);
    const pathOf = (index: number): string => `memories[${index}]`;
    const outcomes = await createMemories(
      ports,
      {
        rpc: "BatchCreateMemories",
        namespace: request.namespace,
        drafts: await mapYielding(
          request.memories,
          ({ text }) => text.length,
          (memory, index) => checkedItem(memory, pathOf(index), toDraft),
        ),
        pathOf,
        ...defined({ onDuplicate: toOnDuplicate(request.onDuplicate), requestId: request.requestId }),
      },
      context,
    );
    return fromOutcomes(outcomes, {
      namespace: namespaceOf(request),
      maxBytes: answerBytesOf(request.maxAnswerBytes),
    });
  };
}

/** Throws REQUEST_INVALID when all texts or all metadata together are too large; the schema has no rule for it. */
function checkBatchSize(memories: readonly ProtoMemory[]): void {
  const bytes = memories.reduce((sum, memory) => sum + Buffer.byteLength(memory.text), 0);
  if (bytes > MAX_BATCH_BYTES) {
    throw invalidField(
      "memories",
      `texts take ${bytes} bytes; at most ${MAX_BATCH_BYTES} are allowed in a batch`,
    );
  }
  const metadataBytes = memories.reduce(
    (sum, { metadata }) => sum + (metadata === undefined ? 0 : Buffer.byteLength(JSON.stringify(metadata))),
    0,
  );
  if (metadataBytes > MAX_BATCH_METADATA_BYTES) {
    throw invalidField(
      "memories",
      `metadata takes ${metadataBytes} bytes; at most ${MAX_BATCH_METADATA_BYTES} are allowed in a batch`,
    );
  }
}
