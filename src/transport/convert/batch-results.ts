import type { MessageInitShape } from "@bufbuild/protobuf";
import {
  type BatchCreateMemoriesResponseSchema,
  BatchCreateMemoriesResponse_ResultSchema as ResultSchema,
} from "#gen/recollect/v1/memory_pb.js";
import { allFit } from "../../domain/answer-size.ts";
import type { StoredMemory } from "../../domain/memory/memory.ts";
import type { CreateOutcome } from "../../ports/memory/writer.ts";
import { statusOf, toRpcStatus } from "../status.ts";
import { fieldBytes, memoryFieldBytes, textsBytes, withHead } from "./answer-fit.ts";
import { maxMemoryBytes } from "./max-bytes.ts";
import { fromStoredMemory } from "./memory.ts";

/** A status takes less than 8 KiB (see status.ts); the rest is a flag, tags and lengths. */
const REFUSED_BYTES = 8 * 1024;
/** Tags and lengths around a memory, two flags, and the names of all fields in which a duplicate may differ. */
const RESULT_BYTES = 192;

interface Omission {
  /** Field names of Memory. */
  readonly fields: readonly string[];
  readonly from: (memory: StoredMemory) => StoredMemory;
}

/**
 * The fields that a response may leave out, fewest first. With the last omission a memory takes some 7 KiB, by the limits
 * of its fields, and a response of 200 items less than 2 MiB.
 */
const OMISSIONS: readonly [Omission, ...Omission[]] = [
  { fields: [], from: (memory) => memory },
  { fields: ["text"], from: (memory) => ({ ...memory, text: "" }) },
  {
    fields: ["text", "metadata", "tags", "source_ids", "supersedes"],
    from: (memory) => ({ ...memory, text: "", metadata: {}, tags: [], sourceIds: [], supersedes: [] }),
  },
];

interface Room {
  readonly namespace: string;
  readonly maxBytes: number;
}

/** The results of a batch, without the fewest fields with which they take at most `maxBytes`, if any omission suffices. */
export function fromOutcomes(
  outcomes: readonly CreateOutcome[],
  room: Room,
): MessageInitShape<typeof BatchCreateMemoriesResponseSchema> {
  const [nothing, ...more] = OMISSIONS;
  let [shown, omitted] = [outcomes, nothing];
  for (const next of more) {
    if (hasRoom(shown, omitted, room)) break;
    [shown, omitted] = [outcomes.map((outcome) => without(outcome, next)), next];
  }
  return {
    results: shown.map((outcome) => batchResult(outcome, room.namespace)),
    omittedFields: [...omitted.fields],
  };
}

function without(outcome: CreateOutcome, { from }: Omission): CreateOutcome {
  return outcome.kind === "refused" ? outcome : { ...outcome, memory: from(outcome.memory) };
}

function hasRoom(
  outcomes: readonly CreateOutcome[],
  { fields }: Omission,
  { namespace, maxBytes }: Room,
): boolean {
  return allFit(
    {
      items: outcomes,
      atMost: (outcome) =>
        outcome.kind === "refused" ? REFUSED_BYTES : RESULT_BYTES + maxMemoryBytes(outcome.memory, namespace),
      bytesOf: (outcome) => resultBytes(outcome, namespace),
      beside: () => textsBytes(fields),
    },
    maxBytes,
  );
}

function resultBytes(outcome: CreateOutcome, namespace: string): number {
  if (outcome.kind === "refused") return fieldBytes(ResultSchema, batchResult(outcome, namespace));
  const { duplicate, differs, recallLoop } = ofDuplicate(outcome);
  const flags = [duplicate, recallLoop].filter(Boolean).length;
  return withHead(memoryFieldBytes(outcome.memory, namespace) + 2 * flags + textsBytes(differs));
}

/** The fields of a response about a duplicate. */
export function ofDuplicate(outcome: CreateOutcome): {
  readonly duplicate: boolean;
  readonly differs: string[];
  readonly recallLoop: boolean;
} {
  return outcome.kind === "duplicate"
    ? { duplicate: true, differs: [...outcome.differs], recallLoop: outcome.recallLoop ?? false }
    : { duplicate: false, differs: [], recallLoop: false };
}

function batchResult(outcome: CreateOutcome, namespace: string): MessageInitShape<typeof ResultSchema> {
  if (outcome.kind === "refused") {
    const value = toRpcStatus(statusOf(outcome.error, ""));
    return { outcome: { case: "error", value }, ...ofDuplicate(outcome) };
  }
  return {
    outcome: { case: "memory", value: fromStoredMemory(outcome.memory, namespace) },
    ...ofDuplicate(outcome),
  };
}
