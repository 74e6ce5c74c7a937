import type { NamespaceKey } from "../../../domain/access/tenancy.ts";
import { memoryChanged, memoryNotFound } from "../../../domain/errors.ts";
import type { StepLimits } from "../../../domain/memory/batch-steps.ts";
import type { FeedLimits } from "../../../domain/memory/changes.ts";
import type { StoredMemory } from "../../../domain/memory/memory.ts";
import type { IdempotentRequest } from "../../../ports/idempotency.ts";
import type { ImportedMemory, ImportOutcome, MemoryImport } from "../../../ports/memory/transfer.ts";
import type {
  BatchStep,
  CreateOptions,
  CreateOutcome,
  MemoryWriter,
  NewMemory,
  RefusedMemory,
  Replacement,
  ReplaceOptions,
} from "../../../ports/memory/writer.ts";
import type { Reply } from "../connection/client.ts";
import { unavailable } from "../connection/errors.ts";
import { textOf } from "../connection/replies.ts";
import { withCurrentModel } from "../indexes/model-retry.ts";
import type { VectorModel } from "../indexes/vector-model.ts";
import { requestInput } from "../namespaces/idempotency.ts";
import type { Namespaces } from "../namespaces/namespace-ids.ts";
import type { PackRecord } from "../namespaces/records.ts";
import type { MemoryAccesses } from "./access-counts.ts";
import { type RecordedItem, recordedBatch, recordOfBatch, refusalOf } from "./batch-record.ts";
import { feedInput } from "./changes.ts";
import { plannedInput, supersededOf, withPositions } from "./create-input.ts";
import { type Observation, type Observations, type PlannedItem, planCreation } from "./create-plan.ts";
import type { MemoryReads } from "./reads.ts";
import {
  memoryInput,
  memoryKeys,
  ofThisModel,
  pendingState,
  readRow,
  storedMemory,
  supersededInput,
} from "./rows.ts";
import { stepLimits } from "./step-limits.ts";
import { CREATE, DELETE, IMPORT, REPLACE, REPLAY_REPLACE, type SingleReply } from "./write-scripts.ts";

/**
 * How often a batch is planned again because the memories that it depends on have changed since they were observed. Each
 * retry means that another write succeeded: with so many concurrent duplicates of one memory, the last ones wait for all
 * others.
 */
const MAX_OBSERVATIONS = 100;

const WHOLE_BATCH: BatchStep = { before: [], isLast: true };

type Request = { readonly now: number; readonly request?: IdempotentRequest };

export interface MemoryWritesOptions {
  readonly model: VectorModel;
  readonly pack: PackRecord;
  readonly accesses: MemoryAccesses;
  readonly reads: MemoryReads;
  readonly feedLimits: FeedLimits;
  /** How many revisions of a memory are kept. */
  readonly maxRevisions: number;
  /** Called after a write. `isPending`: it has added pending memories. */
  readonly onWritten: (
    scope: NamespaceKey,
    options: { readonly now: number; readonly isPending: boolean },
  ) => void;
}

/** Writes single memories and batches; each in one script. */
export class MemoryWrites implements MemoryWriter, MemoryImport {
  readonly #namespaces: Namespaces;
  readonly #options: MemoryWritesOptions;

  constructor(namespaces: Namespaces, options: MemoryWritesOptions) {
    this.#namespaces = namespaces;
    this.#options = options;
  }

  get stepLimits(): StepLimits {
    return stepLimits(this.#options.model);
  }

  async create(
    scope: NamespaceKey,
    items: readonly (NewMemory | RefusedMemory)[],
    { now, request, step = WHOLE_BATCH }: CreateOptions,
  ): Promise<CreateOutcome[]> {
    const { before } = step;
    // A batch without anything to write creates no namespace.
    if (request === undefined && items.every((item) => "refusal" in item)) {
      return [...before, ...items.map((item): CreateOutcome => ({ kind: "refused", error: item.refusal }))];
    }
    await this.#options.accesses.settle(
      scope,
      items.flatMap((item) => ("refusal" in item ? [] : [item.memory.id])),
    );
    let conflicts: readonly Observation[] = [];
    let hasFlushed = false;
    for (let tries = 0; tries < MAX_OBSERVATIONS; tries += 1) {
      const observed = { conflicts, superseded: await this.#readSuperseded(scope, items, now) };
      const options = {
        now,
        request,
        step,
        mayHaveUncounted: !hasFlushed && this.#options.accesses.isBehind(scope),
      };
      const answer = await this.#createAsObserved(scope, items, options, observed);
      if (answer === "uncounted") {
        await this.#options.accesses.flush();
        hasFlushed = true;
        continue;
      }
      if (!("conflicts" in answer)) return answer.outcomes;
      conflicts = answer.conflicts;
    }
    throw unavailable("the memories that have duplicates in this batch keep changing");
  }

  /**
   * Writes the plan for the observations; when they are stale, writes nothing and returns new ones; `uncounted` when accesses
   * that are not written to Redis yet decide whether an item is a recall loop.
   */
  async #createAsObserved(
    scope: NamespaceKey,
    items: readonly (NewMemory | RefusedMemory)[],
    options: {
      readonly now: number;
      readonly request: IdempotentRequest | undefined;
      readonly step: BatchStep;
      readonly mayHaveUncounted: boolean;
    },
    observed: Observations,
  ): Promise<
    { readonly outcomes: CreateOutcome[] } | { readonly conflicts: readonly Observation[] } | "uncounted"
  > {
    const { now, request, step, mayHaveUncounted } = options;
    let plan: readonly PlannedItem[] = [];
    let accesses = this.#options.accesses.current(scope);
    const reply = await withCurrentModel(this.#options.model, () =>
      this.#namespaces.run(scope, {
        script: CREATE,
        whenAbsent: "create",
        mayRetry: request !== undefined,
        input: (namespace) => {
          const written = items.map((item) => ("refusal" in item ? item : this.#ofThisModel(item)));
          plan = planCreation(scope, written, { observed, now });
          accesses = this.#options.accesses.current(scope);
          return {
            ...memoryKeys(namespace),
            ...requestInput(request),
            request: namespace.request(request?.key ?? ""),
            now,
            ...feedInput(this.#options.feedLimits),
            generation: this.#options.model.generation,
            maxRevisions: this.#options.maxRevisions,
            countBefore: step.before.length,
            mayHaveUncounted: mayHaveUncounted ? 1 : 0,
            outcome: request === undefined ? "" : recordOfBatch(step, plan),
            items: plan.flatMap((one, at) => plannedInput(namespace, written[at], one, this.#options.pack)),
            superseded: plan.flatMap(supersededOf).map(({ observedEtag, memory }) => ({
              observedEtag,
              ...supersededInput(namespace.namespaceId, memory, this.#options.pack),
            })),
          };
        },
      }),
    );
    if (reply.kind === "replayed") {
      return { outcomes: await this.#replay(scope, recordedBatch(reply.outcome), now) };
    }
    if (reply.kind === "uncounted") return "uncounted";
    if (reply.kind === "observed") {
      const meets = reply.meets.values();
      return {
        conflicts: items.map((item) =>
          "refusal" in item ? "FREE" : this.#observation(meets.next().value, accesses),
        ),
      };
    }
    const outcomes = withPositions(plan, reply.positions);
    // A vector that is being computed belongs to the previous etag.
    const changed = plan.flatMap((one) => [
      ...(one.write?.kind === "merge" ? [one.write.memory] : []),
      ...supersededOf(one).map(({ memory }) => memory),
    ]);
    const isPending =
      plan.some(({ write }) => write?.kind === "create" && pendingState(write.item) !== "") ||
      changed.some(({ embedding }) => embedding.state === "PENDING");
    this.#options.onWritten(scope, { now, isPending });
    return { outcomes: [...step.before, ...outcomes] };
  }

  /** By id: the memories that the items supersede, as they are now. */
  async #readSuperseded(
    scope: NamespaceKey,
    items: readonly (NewMemory | RefusedMemory)[],
    now: number,
  ): Promise<ReadonlyMap<string, StoredMemory>> {
    const ids = items.flatMap((item) => ("refusal" in item ? [] : (item.memory.supersedes ?? [])));
    const found = ids.length === 0 ? [] : await this.#options.reads.get(scope, ids, now);
    return new Map(found.flatMap((memory) => (memory === undefined ? [] : [[memory.id, memory]])));
  }

  #observation(reply: Reply | undefined, accesses: ReturnType<MemoryAccesses["current"]>): Observation {
    if (!Array.isArray(reply)) return textOf(reply) === "TAKEN" ? "TAKEN" : "FREE";
    const kind = Array.isArray(reply[0]) ? "recalled" : "duplicate";
    const row = readRow(kind === "recalled" ? reply[0] : reply, this.#options.model.identity);
    return row === undefined ? "FREE" : { kind, memory: storedMemory(row, accesses?.get(row.id)) };
  }

  async import(
    scope: NamespaceKey,
    items: readonly ImportedMemory[],
    { now }: { readonly now: number },
  ): Promise<ImportOutcome[]> {
    await this.#options.accesses.settle(
      scope,
      items.map(({ memory }) => memory.id),
    );
    let written = items;
    const flags = await withCurrentModel(this.#options.model, () =>
      this.#namespaces.run(scope, {
        script: IMPORT,
        whenAbsent: "create",
        input: (namespace) => {
          written = items.map((item) => this.#ofThisModel(item));
          return {
            ...memoryKeys(namespace),
            now,
            ...feedInput(this.#options.feedLimits),
            generation: this.#options.model.generation,
            memories: written.map((item) => ({
              position: item.memory.sessionPosition,
              ...memoryInput(namespace.namespaceId, item, this.#options.pack),
            })),
          };
        },
      }),
    );
    const isPending = written.some((item, at) => flags[at] === true && pendingState(item) !== "");
    this.#options.onWritten(scope, { now, isPending });
    return flags.map((isWritten) => (isWritten ? "imported" : "skipped"));
  }

  async replace(
    scope: NamespaceKey,
    expectedEtag: string,
    replacement: Replacement,
    { now, request, change = "UPDATED", forgets = false }: ReplaceOptions,
  ): Promise<StoredMemory> {
    const { id } = replacement.memory;
    await this.#options.accesses.written();
    let written = replacement;
    let accesses = this.#options.accesses.current(scope);
    const reply = await withCurrentModel(this.#options.model, () =>
      this.#namespaces.run(scope, {
        script: REPLACE,
        mayRetry: request !== undefined,
        input: (namespace) => {
          written = this.#ofThisModel(replacement);
          accesses = this.#options.accesses.current(scope);
          return {
            ...memoryKeys(namespace),
            ...requestInput(request),
            request: namespace.request(request?.key ?? ""),
            now,
            ...feedInput(this.#options.feedLimits),
            change: change.slice(0, 1),
            forgets: forgets ? "1" : "",
            generation: this.#options.model.generation,
            maxRevisions: this.#options.maxRevisions,
            expectedEtag,
            memories: [memoryInput(namespace.namespaceId, written, this.#options.pack)],
          };
        },
      }),
    );
    const { kind, row: stored } = found(scope, id, reply);
    if (kind === "done") this.#options.onWritten(scope, { now, isPending: pendingState(written) !== "" });
    const row = readRow(stored, this.#options.model.identity);
    if (row === undefined) throw memoryNotFound(scope.namespace, id);
    return storedMemory(row, accesses?.get(id));
  }

  async replayReplace(
    scope: NamespaceKey,
    id: string,
    { now, request }: { readonly now: number; readonly request: IdempotentRequest },
  ): Promise<StoredMemory | undefined> {
    await this.#options.accesses.written();
    let accesses = this.#options.accesses.current(scope);
    const reply = await this.#namespaces.run(scope, {
      script: REPLAY_REPLACE,
      mayRetry: true,
      input: (namespace) => {
        accesses = this.#options.accesses.current(scope);
        return {
          ...memoryKeys(namespace),
          ...requestInput(request),
          request: namespace.request(request.key),
          now,
          id,
        };
      },
    });
    const { kind, row: stored } = found(scope, id, reply);
    if (kind === "done") return undefined;
    const row = readRow(stored, this.#options.model.identity);
    return row === undefined ? undefined : storedMemory(row, accesses?.get(id));
  }

  async delete(
    scope: NamespaceKey,
    id: string,
    { etag, now, request }: Request & { readonly etag?: string },
  ): Promise<void> {
    const reply = await this.#namespaces.run(scope, {
      script: DELETE,
      mayRetry: request !== undefined,
      input: (namespace) => ({
        ...memoryKeys(namespace),
        ...requestInput(request),
        request: namespace.request(request?.key ?? ""),
        now,
        ...feedInput(this.#options.feedLimits),
        id,
        hasEtag: etag === undefined ? 0 : 1,
        expectedEtag: etag ?? "",
      }),
    });
    if (found(scope, id, reply).kind === "replayed") return;
    this.#options.accesses.discard(scope, [id]);
    this.#options.onWritten(scope, { now, isPending: false });
  }

  #ofThisModel<Item extends Replacement>(item: Item): Item {
    return ofThisModel(item, this.#options.model);
  }

  /** The recorded outcomes of a request, with its memories as they are now. */
  async #replay(scope: NamespaceKey, items: readonly RecordedItem[], now: number): Promise<CreateOutcome[]> {
    const ids = items.flatMap(([kind, id]) => (kind === "created" || kind === "duplicate" ? [id] : []));
    const found = await this.#options.reads.get(scope, ids, now);
    const memories = new Map(found.flatMap((memory) => (memory === undefined ? [] : [[memory.id, memory]])));
    return items.map((recorded): CreateOutcome => {
      const [kind, id, differs = [], recallLoop] = recorded;
      if (kind !== "created" && kind !== "duplicate") return refusalOf(scope, recorded);
      const memory = memories.get(id);
      if (memory === undefined) return { kind: "refused", error: memoryNotFound(scope.namespace, id) };
      if (kind === "created") return { kind, memory };
      return { kind, memory, differs, ...(recallLoop === undefined ? {} : { recallLoop }) };
    });
  }
}

/** Checks the reply about a memory that must exist. Throws MEMORY_NOT_FOUND or ETAG_MISMATCH. */
function found(scope: NamespaceKey, id: string, reply: SingleReply | undefined) {
  if (reply === undefined || reply.kind === "missing") throw memoryNotFound(scope.namespace, id);
  if (reply.kind === "changed") throw memoryChanged(id, reply.etag);
  return reply;
}
