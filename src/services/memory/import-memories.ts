import { type NamespaceKey, namespaceKeyOf, namespaceOf } from "../../domain/access/tenancy.ts";
import { invalidField, RecollectError } from "../../domain/errors.ts";
import { contentBytes, nextStep } from "../../domain/memory/batch-steps.ts";
import { checkImported, type ImportedDraft } from "../../domain/memory/imported-draft.ts";
import { isExpired } from "../../domain/memory/memory.ts";
import { mapYielding } from "../../lib/yield-to-event-loop.ts";
import type { Clock } from "../../ports/clock.ts";
import type { Embedder } from "../../ports/embedding/embedder.ts";
import type { MemoryReader } from "../../ports/memory/reader.ts";
import type { ImportedMemory, MemoryImport } from "../../ports/memory/transfer.ts";
import type { CallContext } from "../call.ts";
import type { WriteEmbedder, WriteEmbedding } from "../embedding/embed-for-write.ts";
import { embedDrafts, refuseEach } from "./create-memories.ts";
import { prepareMemory } from "./prepare-memory.ts";

/** One message of an import. */
export interface ImportStep {
  /** Of the first step; later ones leave it empty or say the same. */
  readonly namespace: string;
  /** Higher than that of the step before. */
  readonly sequence: number;
  /** In order; a memory that the schema refuses comes as the error that says so. */
  readonly memories: readonly (ImportedDraft | RecollectError)[];
}

/** What has become of all steps so far, and of those of the last that were refused. */
export interface ImportProgress {
  readonly sequence: number;
  readonly imported: number;
  /** Their ids were taken. */
  readonly skipped: number;
  /** They had expired. */
  readonly expired: number;
  readonly refused: number;
  readonly refusals: readonly { readonly index: number; readonly error: RecollectError }[];
}

export interface ImportMemoriesPorts extends WriteEmbedder {
  readonly memories: { readonly reader: Pick<MemoryReader, "exist">; readonly importer: MemoryImport };
  readonly clock: Clock;
}

/**
 * Stores memories that were exported, step by step: each is answered when it is durable, and the next is asked for
 * after that. At most one call of the embedder a step, for what is not there yet: an import that begins again pays for
 * nothing twice.
 */
export async function* importMemories(
  ports: ImportMemoriesPorts,
  steps: AsyncIterable<ImportStep>,
  context: CallContext,
): AsyncGenerator<ImportProgress> {
  let scope: NamespaceKey | undefined;
  let progress: ImportProgress = {
    sequence: 0,
    imported: 0,
    skipped: 0,
    expired: 0,
    refused: 0,
    refusals: [],
  };
  for await (const step of steps) {
    scope ??= namespaceKeyOf(context.caller, step.namespace);
    if (step.namespace !== "" && namespaceOf(step) !== scope.namespace) {
      throw invalidField("namespace", `an import is into one namespace; this one is into ${scope.namespace}`);
    }
    if (step.sequence <= progress.sequence) {
      throw invalidField("sequence", `must be higher than ${progress.sequence}, that of the message before`);
    }
    progress = await importStep(ports, scope, step, progress, context.signal);
    yield progress;
  }
}

async function importStep(
  ports: ImportMemoriesPorts,
  scope: NamespaceKey,
  step: ImportStep,
  before: ImportProgress,
  signal: AbortSignal,
): Promise<ImportProgress> {
  const now = ports.clock.now();
  const checked = await refuseEach(step.memories, (memory, index) =>
    checkImported(memory, `memories[${index}]`, now),
  );
  const refusals = checked.flatMap((one, index) =>
    one instanceof RecollectError ? [{ index, error: one }] : [],
  );
  const accepted = checked.filter((one): one is ImportedDraft => !(one instanceof RecollectError));
  const current = accepted.filter((draft) => !isExpired(draft, now));
  const imported = await storeNew(ports, scope, current, now, signal);
  return {
    sequence: step.sequence,
    imported: before.imported + imported,
    skipped: before.skipped + current.length - imported,
    expired: before.expired + accepted.length - current.length,
    refused: before.refused + refusals.length,
    refusals,
  };
}

/** Stores those whose ids are free, in steps that hold up no other call for long; resolves with how many that were. */
async function storeNew(
  ports: ImportMemoriesPorts,
  scope: NamespaceKey,
  drafts: readonly ImportedDraft[],
  now: number,
  signal: AbortSignal,
): Promise<number> {
  const there = await ports.memories.reader.exist(
    scope,
    drafts.map(({ id }) => id),
    now,
  );
  const fresh = drafts.filter((_, index) => there[index] !== true);
  if (fresh.length === 0) return 0;
  const embedded = await embedDrafts(ports, fresh, signal);
  const stepFrom = (start: number): Promise<ImportedMemory[]> =>
    mapYielding(
      nextStep(fresh, start, contentBytes, ports.memories.importer.stepLimits),
      ({ text }) => text.length,
      (draft) => toImported(draft, ports.embedder, embedded.get(draft) ?? "PENDING", now),
    );
  let [end, imported] = [0, 0];
  let items = await stepFrom(0);
  while (items.length > 0) {
    signal.throwIfAborted();
    end += items.length;
    // The next step is made ready while the store is busy with this one.
    const [outcomes, next] = await Promise.all([
      ports.memories.importer.import(scope, items, { now }),
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
    supersedes,
    supersededBy,
    sessionPosition,
    ...draft
  } = imported;
  const origin = {
    id: draft.id,
    createTime,
    updateTime,
    state,
    ...(supersedes === undefined ? {} : { supersedes }),
    supersededBy,
  };
  const prepared = prepareMemory(draft, origin, embedder, embedding);
  return { ...prepared, memory: { ...prepared.memory, sessionPosition } };
}
