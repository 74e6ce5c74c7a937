import { type NamespaceKey, namespaceKeyOf } from "../../domain/access/tenancy.ts";
import { ModelChanged, sameModel } from "../../domain/embedding/identity.ts";
import { memoryNotFound } from "../../domain/errors.ts";
import type { ChangeKind } from "../../domain/memory/changes.ts";
import { checkDraft, type MemoryDraft } from "../../domain/memory/draft.ts";
import { indexedText, type Memory, type MemoryState, type StoredMemory } from "../../domain/memory/memory.ts";
import { notActive, refuseOtherSupersedes } from "../../domain/memory/supersession.ts";
import { draftOf, type MutableField, withFields } from "../../domain/memory/update.ts";
import { BOTH_FIELDS, type WriteGuardSettings } from "../../domain/memory/write-guard.ts";
import type { Clock } from "../../ports/clock.ts";
import type { EmbedderIdentity } from "../../ports/embedding/embedder.ts";
import type { MemoryReader } from "../../ports/memory/reader.ts";
import type { CandidateSearch } from "../../ports/memory/search.ts";
import type { MemoryWriter } from "../../ports/memory/writer.ts";
import type { WriteGuardMetrics } from "../../ports/metrics.ts";
import type { Reloadable } from "../../ports/reloadable.ts";
import type { WorkQueue } from "../../ports/work-queue.ts";
import { type CallContext, idempotentRequest } from "../call.ts";
import { embedForWrite, type WriteEmbedder, type WriteEmbedding } from "../embedding/embed-for-write.ts";
import { updateCurrent } from "../update-current.ts";
import { prepareMemory } from "./prepare-memory.ts";
import { SecretsGuard } from "./secrets-guard.ts";

export interface UpdateMemoryInput {
  readonly namespace: string;
  readonly id: string;
  /** Empty: any. */
  readonly etag: string;
  readonly patch: MemoryDraft;
  readonly fields: readonly MutableField[];
  readonly requestId?: string;
}

export type ReplaceMemoryPorts = WriteEmbedder & {
  readonly memories: {
    readonly reader: Pick<MemoryReader, "get">;
    readonly search: Pick<CandidateSearch, "vectors">;
    readonly writer: Pick<MemoryWriter, "replace" | "replayReplace">;
  };
  readonly clock: Clock;
  readonly work: WorkQueue;
};

/**
 * Updates fields of a memory. With an etag it changes only that version; without one it changes the current version, and
 * retries after a concurrent update. A new text or new metadata with a secret may be redacted, or make the memory QUARANTINED
 * (see write-guard.ts). Rejects with MEMORY_NOT_FOUND, MEMORY_NOT_ACTIVE, ETAG_MISMATCH or SECRET_REFUSED.
 */
export async function updateMemory(
  ports: ReplaceMemoryPorts & {
    readonly writeGuards: Reloadable<WriteGuardSettings>;
    readonly metrics: WriteGuardMetrics;
  },
  input: UpdateMemoryInput,
  context: CallContext,
): Promise<StoredMemory> {
  const guard = new SecretsGuard(ports.writeGuards().secrets, ports.metrics);
  const changed = BOTH_FIELDS.filter((field) => input.fields.includes(field));
  const request = { ...input, patch: guard.recorded(input.patch) };
  return replaceMemory(
    ports,
    { rpc: "UpdateMemory", change: "UPDATED", ...request },
    context,
    async (current, now) => {
      const refusal = notActive(current);
      if (refusal !== undefined) throw refusal;
      refuseOtherSupersedes(current, input.patch);
      const requested = withFields(draftOf(current), input.fields, input.patch);
      checkDraft(requested, "memory", now);
      const draft = guard.check(requested, "memory", changed);
      return { draft, state: guard.stateOf(draft), supersededBy: current.supersededBy };
    },
  );
}

/** A request for a new version of a memory. All but the first two and `requestId` tells whether a retry is the same request. */
interface ReplaceMemoryInput {
  readonly rpc: string;
  readonly change: ChangeKind;
  readonly namespace: string;
  readonly id: string;
  /** Empty: any. */
  readonly etag: string;
  readonly requestId?: string;
}

/** The content of a new version. */
interface NextVersion {
  readonly draft: MemoryDraft;
  readonly state: MemoryState;
  readonly supersededBy: string;
}

/**
 * Replaces a memory with the version that `next` gives for the current version, or throws. With an etag it
 * replaces only that version; without one the current version, again after a concurrent change. A retry of a request that
 * succeeded resolves with the memory as it is, also when `next` would throw now. Rejects with MEMORY_NOT_FOUND or
 * ETAG_MISMATCH.
 */
export async function replaceMemory(
  ports: ReplaceMemoryPorts,
  input: ReplaceMemoryInput,
  context: CallContext,
  next: (current: StoredMemory, now: number) => Promise<NextVersion>,
): Promise<StoredMemory> {
  const namespaceKey = namespaceKeyOf(context.caller, input.namespace);
  const { rpc, change, requestId, ...body } = input;
  return updateCurrent(input.etag, async () => {
    const now = ports.clock.now();
    const [current] = await ports.memories.reader.get(namespaceKey, [input.id], now);
    if (current === undefined) throw memoryNotFound(namespaceKey.namespace, input.id);
    const request = idempotentRequest(context, rpc, requestId, body, now);
    let version: NextVersion;
    try {
      version = await next(current, now);
    } catch (refusal) {
      // A late retry of a request that succeeded earlier and would be refused now.
      const replay =
        request && (await ports.memories.writer.replayReplace(namespaceKey, input.id, { now, request }));
      if (replay !== undefined) return replay;
      throw refusal;
    }
    const embedding = await embeddingFor(ports, namespaceKey, current, version.draft, context.signal);
    const origin = {
      id: current.id,
      createTime: current.createTime,
      // Later than before, even when the clock has not advanced, so that the change is visible.
      updateTime: Math.max(now, current.updateTime + 1),
      state: version.state,
      supersededBy: version.supersededBy,
    };
    const { deadline, signal } = context;
    return ports.work.run({ tenant: namespaceKey.tenant, kind: "WRITE", deadline }, signal, () => {
      const replacement = prepareMemory(version.draft, origin, ports.embedder, embedding);
      const expected = input.etag === "" ? current.etag : input.etag;
      const options = { now, change, ...(request === undefined ? {} : { request }) };
      return ports.memories.writer.replace(namespaceKey, expected, replacement, options);
    });
  });
}

/** The vector of the new version: the stored vector or refusal, when the indexed text has not changed. */
async function embeddingFor(
  ports: WriteEmbedder & { readonly memories: { readonly search: Pick<CandidateSearch, "vectors"> } },
  namespaceKey: NamespaceKey,
  current: Memory,
  draft: MemoryDraft,
  signal: AbortSignal,
): Promise<WriteEmbedding> {
  if (ports.embedder !== undefined && indexedText(current) === indexedText(draft)) {
    const { identity } = ports.embedder;
    const vector = await storedVector(ports.memories.search, namespaceKey, current.id, identity);
    if (vector !== undefined) return { vector, truncated: current.embedding.truncated, identity };
    const { state, refusal = "" } = current.embedding;
    if (state === "REFUSED" && sameModel(current.embedding, identity)) return { refusal };
  }
  const [embedding] = await embedForWrite(ports, [indexedText(draft)], signal);
  return embedding ?? "PENDING";
}

/** Undefined when there is none of this model, also because the model has changed meanwhile. */
async function storedVector(
  search: Pick<CandidateSearch, "vectors">,
  namespaceKey: NamespaceKey,
  id: string,
  model: EmbedderIdentity,
): Promise<Float32Array | undefined> {
  try {
    const [vector] = await search.vectors(namespaceKey, [id], model);
    return vector;
  } catch (error) {
    if (!(error instanceof ModelChanged)) throw error;
    return undefined;
  }
}
