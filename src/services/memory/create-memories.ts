import { RecollectError } from "../../domain/errors.ts";
import { checkDraft, type MemoryDraft } from "../../domain/memory/draft.ts";
import { defaultOnDuplicate, indexedText, type OnDuplicate } from "../../domain/memory/memory.ts";
import { scopeOf } from "../../domain/tenancy.ts";
import type { Clock } from "../../ports/clock.ts";
import type { Ids } from "../../ports/ids.ts";
import type { CreateOutcome, MemoryStore, NewMemory, RefusedMemory } from "../../ports/memory-store.ts";
import type { WorkQueue } from "../../ports/work-queue.ts";
import { type CallContext, idempotentRequest } from "../call.ts";
import { embedForWrite, type WriteEmbedder, type WriteEmbedding } from "../embedding/embed-for-write.ts";
import { Turns } from "../turns.ts";
import { prepareMemory } from "./prepare-memory.ts";

export interface CreateMemoriesInput {
  /** The RPC, as request records tell one from another. */
  readonly rpc: string;
  readonly namespace: string;
  /** In order; a draft that the schema refuses comes as the error that says so. */
  readonly drafts: readonly (MemoryDraft | RecollectError)[];
  /** The path of one draft in the request, for field violations. */
  readonly pathOf: (index: number) => string;
  /** Undefined: what is usual for the kind. */
  readonly onDuplicate?: OnDuplicate;
  readonly requestId?: string;
}

export interface CreateMemoriesPorts extends WriteEmbedder {
  readonly store: Pick<MemoryStore, "create">;
  readonly clock: Clock;
  readonly ids: Ids;
  readonly work: WorkQueue;
}

/**
 * Stores memories, each on its own, with one call of the embedder for all of them. Resolves when they are durable and
 * can be found: by keyword at least, when there is no vector yet (see embedForWrite).
 */
export async function createMemories(
  ports: CreateMemoriesPorts,
  input: CreateMemoriesInput,
  context: CallContext,
): Promise<CreateOutcome[]> {
  const now = ports.clock.now();
  const checked = input.drafts.map((draft, index) => refuseInvalid(draft, input.pathOf(index), now));
  const accepted = checked.filter((draft): draft is MemoryDraft => !(draft instanceof RecollectError));
  const embedded = await embedDrafts(ports, accepted, context.signal);
  const { deadline, signal } = context;
  const { tenant } = context.caller;
  return ports.work.run(
    { tenant, kind: "WRITE", size: Math.max(1, checked.length), deadline },
    signal,
    async () => {
      const items = await newMemories(ports, { checked, embedded, onDuplicate: input.onDuplicate, now });
      const request = idempotentRequest(context, input.rpc, input.requestId, requestBody(input), now);
      return ports.store.create(scopeOf(context.caller, input.namespace), items, {
        now,
        ...(request === undefined ? {} : { request }),
      });
    },
  );
}

async function newMemories(
  ports: CreateMemoriesPorts,
  {
    checked,
    embedded,
    onDuplicate,
    now,
  }: {
    readonly checked: readonly (MemoryDraft | RecollectError)[];
    readonly embedded: ReadonlyMap<MemoryDraft, WriteEmbedding>;
    readonly onDuplicate: OnDuplicate | undefined;
    readonly now: number;
  },
): Promise<(NewMemory | RefusedMemory)[]> {
  const items: (NewMemory | RefusedMemory)[] = [];
  const turns = new Turns();
  for (const draft of checked) {
    if (draft instanceof RecollectError) items.push({ refusal: draft });
    else {
      items.push(newMemory(draft, embedded.get(draft) ?? "PENDING", ports, onDuplicate, now));
      await turns.after(draft.text.length);
    }
  }
  return items;
}

function refuseInvalid(
  draft: MemoryDraft | RecollectError,
  path: string,
  now: number,
): MemoryDraft | RecollectError {
  if (draft instanceof RecollectError) return draft;
  try {
    checkDraft(draft, path, now);
    return draft;
  } catch (error) {
    if (error instanceof RecollectError) return error;
    throw error;
  }
}

/** What embedForWrite says of some drafts, by draft. */
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
  draft: MemoryDraft,
  embedding: WriteEmbedding,
  ports: CreateMemoriesPorts,
  onDuplicate: OnDuplicate | undefined,
  now: number,
): NewMemory {
  const origin = {
    id: draft.id === "" ? ports.ids.next(now) : draft.id,
    createTime: now,
    updateTime: now,
    state: "ACTIVE" as const,
    supersededBy: "",
  };
  return {
    ...prepareMemory(draft, origin, ports.embedder, embedding),
    onDuplicate: onDuplicate ?? defaultOnDuplicate(draft.kind),
  };
}

/** What makes two requests the same: drafts as handed in, refusals by what they say. */
function requestBody(input: CreateMemoriesInput): object {
  return {
    drafts: input.drafts.map((draft) =>
      draft instanceof RecollectError ? { refused: draft.message } : draft,
    ),
    onDuplicate: input.onDuplicate ?? null,
  };
}
