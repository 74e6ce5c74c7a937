import { namespaceKeyOf } from "../../domain/access/tenancy.ts";
import { RecollectError } from "../../domain/errors.ts";
import { contentBytes, nextStep } from "../../domain/memory/batch-steps.ts";
import { checkDraft, type MemoryDraft } from "../../domain/memory/draft.ts";
import { defaultOnDuplicate, indexedText, type OnDuplicate } from "../../domain/memory/memory.ts";
import { recalledSince } from "../../domain/memory/recall-loop.ts";
import { checkSupersedes } from "../../domain/memory/supersession.ts";
import type { WriteGuardSettings } from "../../domain/memory/write-guard.ts";
import { canonicalJson } from "../../lib/json.ts";
import { mapYielding } from "../../lib/yield-to-event-loop.ts";
import type { Clock } from "../../ports/clock.ts";
import type { IdempotentRequest } from "../../ports/idempotency.ts";
import type { Ids } from "../../ports/ids.ts";
import type {
  CreateOptions,
  CreateOutcome,
  MemoryWriter,
  NewMemory,
  RefusedMemory,
} from "../../ports/memory/writer.ts";
import type { WriteGuardMetrics } from "../../ports/metrics.ts";
import type { Reloadable } from "../../ports/reloadable.ts";
import type { WorkQueue } from "../../ports/work-queue.ts";
import { type CallContext, canonicalText, recordedRequest } from "../call.ts";
import { embedForWrite, type WriteEmbedder, type WriteEmbedding } from "../embedding/embed-for-write.ts";
import { prepareMemory } from "./prepare-memory.ts";
import { SecretsGuard } from "./secrets-guard.ts";

export interface CreateMemoriesInput {
  /** The name of the RPC in idempotency records. */
  readonly rpc: string;
  readonly namespace: string;
  /** In order; the error in the place of a draft that the schema refuses. */
  readonly drafts: readonly (MemoryDraft | RecollectError)[];
  /** The path of one draft in the request, for field violations. */
  readonly pathOf: (index: number) => string;
  /** Undefined: see defaultOnDuplicate. */
  readonly onDuplicate?: OnDuplicate;
  readonly requestId?: string;
}

export interface CreateMemoriesPorts extends WriteEmbedder {
  readonly memories: { readonly writer: Pick<MemoryWriter, "create" | "stepLimits"> };
  readonly clock: Clock;
  readonly ids: Ids;
  readonly work: WorkQueue;
  readonly writeGuards: Reloadable<WriteGuardSettings>;
  readonly metrics: WriteGuardMetrics;
}

/** What all memories of one call are prepared with. */
interface Creation {
  readonly now: number;
  readonly guard: SecretsGuard;
  readonly settings: WriteGuardSettings;
}

/**
 * Stores memories, each on its own, with one call of the embedder for all of them. Resolves when they are durable and can
 * be found: by keyword at least, when they have no vector yet (see embedForWrite). A large batch is written in atomic
 * steps, with other calls served in between: after a failure between two steps the first ones stay, and a retry with the
 * same request_id continues with the next one.
 */
export async function createMemories(
  ports: CreateMemoriesPorts,
  input: CreateMemoriesInput,
  context: CallContext,
): Promise<CreateOutcome[]> {
  const now = ports.clock.now();
  const namespaceKey = namespaceKeyOf(context.caller, input.namespace);
  const settings = ports.writeGuards();
  const creation = { now, settings, guard: new SecretsGuard(settings.secrets, ports.metrics) };
  const checked = await checkEach(input, creation);
  const accepted = checked.filter((draft): draft is MemoryDraft => !(draft instanceof RecollectError));
  const embedded = await embedDrafts(ports, accepted, context.signal);
  const request = await batchRequest(context, input, creation);
  const stepFrom = (start: number): Promise<(NewMemory | RefusedMemory)[]> =>
    mapYielding(
      nextStep(checked, start, bytesOf, ports.memories.writer.stepLimits, replacesOthers),
      charactersOf,
      (draft) =>
        draft instanceof RecollectError
          ? { refusal: draft }
          : newMemory(ports, draft, embedded.get(draft) ?? "PENDING", { ...creation, ...input }),
    );
  const write = (items: readonly (NewMemory | RefusedMemory)[], options: CreateOptions) =>
    ports.work.run(
      {
        tenant: namespaceKey.tenant,
        kind: "WRITE",
        size: Math.max(1, items.length),
        deadline: context.deadline,
      },
      context.signal,
      () => ports.memories.writer.create(namespaceKey, items, options),
    );
  let outcomes: CreateOutcome[] = [];
  let items = await stepFrom(0);
  for (;;) {
    context.signal.throwIfAborted();
    const end = outcomes.length + items.length;
    const options = {
      now,
      ...(request === undefined ? {} : { request }),
      step: { before: outcomes, isLast: end === checked.length },
    };
    // The next step is prepared while this one is queued or written.
    const [written, next] = await Promise.all([write(items, options), stepFrom(end)]);
    outcomes = written;
    if (outcomes.length >= checked.length) return counted(withCurrentMemories(outcomes), ports.metrics);
    items = outcomes.length === end ? next : await stepFrom(outcomes.length);
  }
}

/**
 * The outcomes, each with the latest version of its memory: a later item may have changed it as a duplicate. A replay
 * answers the same.
 */
function withCurrentMemories(outcomes: readonly CreateOutcome[]): CreateOutcome[] {
  const memories = new Map(
    outcomes.flatMap((outcome) => (outcome.kind === "refused" ? [] : [[outcome.memory.id, outcome.memory]])),
  );
  return outcomes.map((outcome): CreateOutcome => {
    if (outcome.kind === "refused") return outcome;
    return { ...outcome, memory: memories.get(outcome.memory.id) ?? outcome.memory };
  });
}

/** Counts the recall loops among the outcomes. */
function counted(outcomes: CreateOutcome[], metrics: WriteGuardMetrics): CreateOutcome[] {
  for (const outcome of outcomes) {
    if (outcome.kind === "duplicate" && outcome.recallLoop)
      metrics.writeGuard("recall_loop", "RETURN_EXISTING");
  }
  return outcomes;
}

/** The drafts as they may be stored, with the error in the place of each that is refused. */
function checkEach(
  { drafts, onDuplicate, pathOf }: CreateMemoriesInput,
  { now, guard }: Creation,
): Promise<(MemoryDraft | RecollectError)[]> {
  return refuseEach(drafts, (draft, index) => {
    checkDraft(draft, pathOf(index), now);
    checkSupersedes(draft, onDuplicate, pathOf(index));
    return guard.check(draft, pathOf(index));
  });
}

function replacesOthers(draft: MemoryDraft | RecollectError): boolean {
  return !(draft instanceof RecollectError) && draft.supersedes !== undefined;
}

function bytesOf(draft: MemoryDraft | RecollectError): number | undefined {
  return draft instanceof RecollectError ? undefined : contentBytes(draft);
}

/** What `check` makes of each draft, with the error in the place of each that it refuses. */
export function refuseEach<Draft extends MemoryDraft>(
  drafts: readonly (Draft | RecollectError)[],
  check: (draft: Draft, index: number) => Draft,
): Promise<(Draft | RecollectError)[]> {
  const checked = (draft: Draft | RecollectError, index: number): Draft | RecollectError => {
    if (draft instanceof RecollectError) return draft;
    try {
      return check(draft, index);
    } catch (error) {
      if (error instanceof RecollectError) return error;
      throw error;
    }
  };
  return mapYielding(drafts, charactersOf, checked);
}

function charactersOf(draft: MemoryDraft | RecollectError): number {
  return draft instanceof RecollectError ? 0 : draft.text.length;
}

/** The result of embedForWrite, by draft. */
export async function embedDrafts(
  ports: WriteEmbedder,
  drafts: readonly MemoryDraft[],
  signal: AbortSignal,
): Promise<Map<MemoryDraft, WriteEmbedding>> {
  const embedded = await embedForWrite(ports, drafts.map(indexedText), signal);
  return new Map(
    drafts.flatMap((draft, index) => {
      const one = embedded[index];
      return one === undefined ? [] : [[draft, one] as const];
    }),
  );
}

function newMemory(
  ports: CreateMemoriesPorts,
  draft: MemoryDraft,
  embedding: WriteEmbedding,
  { now, guard, settings, onDuplicate }: Creation & Pick<CreateMemoriesInput, "onDuplicate">,
): NewMemory {
  const since = recalledSince(draft, onDuplicate, { now, windowMs: settings.recallLoopMs });
  const origin = {
    id: draft.id === "" ? ports.ids.next(now) : draft.id,
    createTime: now,
    updateTime: now,
    state: guard.stateOf(draft),
    supersededBy: "",
  };
  return {
    ...prepareMemory(draft, origin, ports.embedder, embedding),
    onDuplicate: draft.supersedes === undefined ? (onDuplicate ?? defaultOnDuplicate(draft.kind)) : "ALLOW",
    ...(since === undefined ? {} : { recalledSince: since }),
  };
}

/** The idempotent request: its body is the drafts without their secrets, with the message in the place of a refused one. */
async function batchRequest(
  context: CallContext,
  { rpc, requestId, drafts, onDuplicate }: CreateMemoriesInput,
  { now, guard }: Creation,
): Promise<IdempotentRequest | undefined> {
  if (requestId === undefined) return undefined;
  const texts = await mapYielding(drafts, charactersOf, (draft) =>
    canonicalText(draft instanceof RecollectError ? { refused: draft.message } : guard.recorded(draft)),
  );
  const body = [`{"drafts":[${texts.shift() ?? ""}`, ...texts.map((text) => `,${text}`)];
  return recordedRequest(
    context,
    rpc,
    requestId,
    [...body, `],"onDuplicate":${canonicalJson(onDuplicate ?? null)}}`],
    now,
  );
}
