import type { NamespaceKey } from "../../../domain/access/tenancy.ts";
import { memoryDuplicate, memoryExists, RecollectError } from "../../../domain/errors.ts";
import type { DifferingField } from "../../../domain/memory/duplicate.ts";
import type { BatchStep, CreateOutcome } from "../../../ports/memory/writer.ts";
import type { PlannedItem } from "./create-plan.ts";

/**
 * The recorded outcome of one item: ids, and refusals as JSON. `taken`, `same` and duplicates without a third part occur
 * in records of earlier versions.
 */
export type RecordedItem = readonly [
  kind: "created" | "duplicate" | "taken" | "same" | "refused",
  what: string,
  differs?: readonly DifferingField[],
  /** See CreateOutcome. */
  recallLoop?: true,
];

/** The record of a batch: its progress, and the outcomes of its items. */
export function recordOfBatch({ before, isLast }: BatchStep, plan: readonly PlannedItem[]): string {
  const outcomes = [...before, ...plan.map(({ outcome }) => outcome)];
  const items = JSON.stringify(outcomes.map(recordedItem));
  return isLast ? items : `+${outcomes.length} ${items}`;
}

function recordedItem(outcome: CreateOutcome): RecordedItem {
  if (outcome.kind === "refused") return ["refused", refusalRecord(outcome.error)];
  if (outcome.kind === "created") return ["created", outcome.memory.id];
  const { memory, differs, recallLoop } = outcome;
  return recallLoop === undefined
    ? ["duplicate", memory.id, differs]
    : ["duplicate", memory.id, differs, recallLoop];
}

function refusalRecord({ reason, message, detail }: RecollectError): string {
  const { cause: _cause, ...kept } = detail;
  return JSON.stringify({ reason, message, detail: kept });
}

/** The items of a batch, whether it is whole or not: see recordOfBatch. */
export function recordedBatch(outcome: string): RecordedItem[] {
  return JSON.parse(outcome.replace(/^\+\d+ /, "")) as RecordedItem[];
}

export function refusalOf({ namespace }: NamespaceKey, [kind, what]: RecordedItem): CreateOutcome {
  if (kind === "taken") return { kind: "refused", error: memoryExists(namespace, what) };
  if (kind === "same") return { kind: "refused", error: memoryDuplicate(namespace, what) };
  const { reason, message, detail } = JSON.parse(what) as Pick<
    RecollectError,
    "reason" | "message" | "detail"
  >;
  return { kind: "refused", error: new RecollectError(reason, message, detail) };
}
