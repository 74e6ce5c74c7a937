import { type NamespaceKey, namespaceKeyOf, namespaceOf } from "../../domain/access/tenancy.ts";
import { invalidField, RecollectError } from "../../domain/errors.ts";
import { contentBytes, nextStep } from "../../domain/memory/batch-steps.ts";
import { checkImported, type ImportedDraft } from "../../domain/memory/imported-draft.ts";
import { isExpired } from "../../domain/memory/memory.ts";
import type { WriteGuardSettings } from "../../domain/memory/write-guard.ts";
import { mapYielding } from "../../lib/yield-to-event-loop.ts";
import type { Clock } from "../../ports/clock.ts";
import type { Embedder } from "../../ports/embedding/embedder.ts";
import type { MemoryReader } from "../../ports/memory/reader.ts";
import type { ImportedMemory, MemoryImport } from "../../ports/memory/transfer.ts";
import type { WriteGuardMetrics } from "../../ports/metrics.ts";
import type { Reloadable } from "../../ports/reloadable.ts";
import type { CallContext } from "../call.ts";
import type { WriteEmbedder, WriteEmbedding } from "../embedding/embed-for-write.ts";
import { embedDrafts, refuseEach } from "./create-memories.ts";
import { prepareMemory } from "./prepare-memory.ts";
import { SecretsGuard } from "./secrets-guard.ts";

/** One message of an import. */
export interface ImportStep {
  /** Required in the first step; later steps leave it empty or repeat it. */
  readonly namespace: string;
  /** Higher than that of the step before. */
  readonly sequence: number;
  /** In order; the error in the place of a memory that the schema refuses. */
  readonly memories: readonly (ImportedDraft | RecollectError)[];
}

/** Totals of all steps so far, and the refusals of the last step. */
export interface ImportProgress {
  readonly sequence: number;
  readonly imported: number;
  /** Memories whose ids exist already. */
  readonly skipped: number;
  /** Memories that have expired. */
  readonly expired: number;
  readonly refused: number;
  readonly refusals: readonly { readonly index: number; readonly error: RecollectError }[];
}

export interface ImportMemoriesPorts extends WriteEmbedder {
  readonly memories: { readonly reader: Pick<MemoryReader, "exist">; readonly importer: MemoryImport };
  readonly clock: Clock;
  readonly writeGuards: Reloadable<WriteGuardSettings>;
  readonly metrics: WriteGuardMetrics;
}

/**
 * Stores exported memories, step by step: each step is answered when it is durable, before the next one is read. At most
 * one call of the embedder for each step, for memories that are not stored yet: a restarted import pays for no vector
 * twice.
 */
export async function* importMemories(
  ports: ImportMemoriesPorts,
  steps: AsyncIterable<ImportStep>,
  context: CallContext,
): AsyncGenerator<ImportProgress> {
  let namespaceKey: NamespaceKey | undefined;
  let progress: ImportProgress = {
    sequence: 0,
    imported: 0,
    skipped: 0,
    expired: 0,
    refused: 0,
    refusals: [],
  };
  for await (const step of steps) {
    namespaceKey ??= namespaceKeyOf(context.caller, step.namespace);
    if (step.namespace !== "" && namespaceOf(step) !== namespaceKey.namespace) {
      throw invalidField(
        "namespace",
        `an import writes to one namespace; this one writes to ${namespaceKey.namespace}`,
      );
    }
    if (step.sequence <= progress.sequence) {
      throw invalidField("sequence", `must be higher than ${progress.sequence}, that of the message before`);
    }
    progress = await importStep(ports, namespaceKey, step, progress, context.signal);
    yield progress;
  }
}

async function importStep(
  ports: ImportMemoriesPorts,
  namespaceKey: NamespaceKey,
  step: ImportStep,
  before: ImportProgress,
  signal: AbortSignal,
): Promise<ImportProgress> {
  const now = ports.clock.now();
  const guard = new SecretsGuard(ports.writeGuards().secrets, ports.metrics);
  const checked = await refuseEach(step.memories, (memory, index) => {
    checkImported(memory, `memories[${index}]`, now);
    return guard.checkImported(memory, `memories[${index}]`);
  });
  const refusals = checked.flatMap((one, index) =>
    one instanceof RecollectError ? [{ index, error: one }] : [],
  );
  const accepted = checked.filter((one): one is ImportedDraft => !(one instanceof RecollectError));
  const current = accepted.filter((draft) => !isExpired(draft, now));
  const imported = await storeNew(ports, namespaceKey, current, now, signal);
  return {
    sequence: step.sequence,
    imported: before.imported + imported,
    skipped: before.skipped + current.length - imported,
    expired: before.expired + accepted.length - current.length,
    refused: before.refused + refusals.length,
    refusals,
  };
}

/** Stores memories whose ids do not exist, in short steps; resolves with their number. */
async function storeNew(
  ports: ImportMemoriesPorts,
  namespaceKey: NamespaceKey,
  drafts: readonly ImportedDraft[],
  now: number,
  signal: AbortSignal,
): Promise<number> {
  const exists = await ports.memories.reader.exist(
    namespaceKey,
    drafts.map(({ id }) => id),
    now,
  );
  const newDrafts = drafts.filter((_, index) => exists[index] !== true);
  if (newDrafts.length === 0) return 0;
  const embedded = await embedDrafts(ports, newDrafts, signal);
  const stepFrom = (start: number): Promise<ImportedMemory[]> =>
    mapYielding(
      nextStep(newDrafts, start, contentBytes, ports.memories.importer.stepLimits),
      ({ text }) => text.length,
      (draft) => toImported(draft, ports.embedder, embedded.get(draft) ?? "PENDING", now),
    );
  let [end, imported] = [0, 0];
  let items = await stepFrom(0);
  while (items.length > 0) {
    signal.throwIfAborted();
    end += items.length;
    // The next step is prepared while the store writes this one.
    const [outcomes, next] = await Promise.all([
      ports.memories.importer.import(namespaceKey, items, { now }),
      stepFrom(end),
    ]);
    imported += outcomes.filter((outcome) => outcome === "imported").length;
    items = next;
  }
  return imported;
}

function toImported(
  imported: ImportedDraft,
  embedder: Embedder | undefined,
  embedding: WriteEmbedding,
  now: number,
): ImportedMemory {
  const {
    createTime = now,
    updateTime = createTime,
    state,
    supersededBy,
    sessionPosition,
    ...draft
  } = imported;
  const origin = {
    id: draft.id,
    createTime,
    updateTime,
    state,
    supersededBy,
  };
  const prepared = prepareMemory(draft, origin, embedder, embedding);
  return { ...prepared, memory: { ...prepared.memory, sessionPosition } };
}
