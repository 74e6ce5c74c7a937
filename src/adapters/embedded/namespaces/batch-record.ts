import { RecollectError } from "../../../domain/errors.ts";
import type { DifferingField } from "../../../domain/memory/duplicate.ts";
import type { Json } from "../../../lib/json.ts";
import type { CreateOutcome } from "../../../ports/memory/writer.ts";

/** The outcome of one item in the idempotency record: ids and codes, no texts. */
export interface RecordedItem {
  readonly kind: CreateOutcome["kind"];
  readonly id?: string;
  /** Of a duplicate; absent in records of versions that did not compare duplicates. */
  readonly differs?: readonly DifferingField[];
  /** See CreateOutcome. */
  readonly recallLoop?: true;
  readonly error?: { readonly reason: string; readonly message: string; readonly detail: Json };
}

/** The progress of a request to create. */
export interface RecordedBatch {
  readonly items: readonly RecordedItem[];
  /** Whether these are all items of the batch. */
  readonly isWhole: boolean;
}

/** A whole batch is stored as the list of its items, an unfinished one as that list under `sofar`. */
type StoredBatch = readonly RecordedItem[] | { readonly sofar: readonly RecordedItem[] };

export function encodeBatch(outcomes: readonly CreateOutcome[], isWhole: boolean): Json {
  const items = outcomes.map(recordItem);
  const stored: StoredBatch = isWhole ? items : { sofar: items };
  return stored as unknown as Json;
}

export function decodeBatch(recorded: Json): RecordedBatch {
  const stored = recorded as unknown as StoredBatch;
  return "sofar" in stored ? { items: stored.sofar, isWhole: false } : { items: stored, isWhole: true };
}

/** The refusal of an item; undefined for one that was not refused. */
export function recordedRefusal({ error }: RecordedItem): RecollectError | undefined {
  if (error === undefined) return undefined;
  const { reason, message, detail } = error;
  return new RecollectError(reason as RecollectError["reason"], message, detail as object);
}

function recordItem(outcome: CreateOutcome): RecordedItem {
  if (outcome.kind === "created") return { kind: "created", id: outcome.memory.id };
  if (outcome.kind === "duplicate") {
    const { memory, ...recorded } = outcome;
    return { ...recorded, id: memory.id };
  }
  const { reason, message, detail } = outcome.error;
  const { cause: _cause, ...stored } = detail;
  return { kind: "refused", error: { reason, message, detail: stored as unknown as Json } };
}
