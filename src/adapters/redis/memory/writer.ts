import type { Scope } from "../../../domain/access/tenancy.ts";
import {
  memoryChanged,
  memoryDuplicate,
  memoryExists,
  memoryNotFound,
  RecollectError,
} from "../../../domain/errors.ts";
import type { StepLimits } from "../../../domain/memory/batch-steps.ts";
import type { DifferingField } from "../../../domain/memory/duplicate.ts";
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
} from "../../../ports/memory/writer.ts";
import type { Argument, Reply } from "../connection/client.ts";
import { MODEL_TRIES, modelIsChanging, unavailable } from "../connection/errors.ts";
import { listOf, numberOf, textOf } from "../connection/replies.ts";
import { readScript } from "../connection/script.ts";
import type { VectorModel } from "../indexes/vector-model.ts";
import { repeated, requestArguments } from "../namespaces/idempotency.ts";
import type { NamespaceKeys } from "../namespaces/keys.ts";
import type { NamespaceScript, Namespaces } from "../namespaces/namespace-ids.ts";
import type { PackRecord } from "../namespaces/records.ts";
import type { MemoryAccesses } from "./access-counts.ts";
import { type Observation, type PlannedItem, planCreation } from "./create-plan.ts";
import type { MemoryReads } from "./reads.ts";
import { memoryArguments, memoryKeys, mergeArguments, readRow, storedMemory, waitsAs } from "./rows.ts";
import { stepLimits } from "./step-limits.ts";

const LIBRARIES = ["namespace", "request", "memory", "read-memory"];
const CREATE = readScript(new URL("./create-memories.lua", import.meta.url), {
  libraries: LIBRARIES,
  effect: "writes",
});
const IMPORT = readScript(new URL("./import-memories.lua", import.meta.url), {
  libraries: LIBRARIES,
  effect: "writes",
});
const REPLACE = readScript(new URL("./replace-memory.lua", import.meta.url), {
  libraries: LIBRARIES,
  effect: "writes",
});
const RECALL = readScript(new URL("./recall-replace.lua", import.meta.url), {
  libraries: LIBRARIES,
  effect: "frees",
});
const DELETE = readScript(new URL("./delete-memory.lua", import.meta.url), {
  libraries: LIBRARIES,
  effect: "frees",
});

/**
 * What became of one item, as it is recorded: ids, and refusals as JSON. `taken`, `same` and duplicates without a third
 * part are in records of before refusals were made here and duplicates were compared.
 */
type RecordedItem = readonly [
  kind: "created" | "duplicate" | "taken" | "same" | "refused",
  what: string,
  differs?: readonly DifferingField[],
];

/**
 * How often a batch begins anew because what its items meet has changed since it was observed. Each time another write
 * was carried out: with so many duplicates of one memory at once, the last ones wait for all others.
 */
const MAX_OBSERVATIONS = 100;

const WHOLE_BATCH: BatchStep = { before: [], isLast: true };

type Request = { readonly now: number; readonly request?: IdempotentRequest };

export interface MemoryWritesOptions {
  readonly model: VectorModel;
  readonly pack: PackRecord;
  readonly accesses: MemoryAccesses;
  readonly reads: MemoryReads;
  /** A write was carried out, which may have left a memory waiting for its vector. */
  readonly onWritten: (scope: Scope, options: { readonly now: number; readonly waits: boolean }) => void;
}

/** The writes of single memories and of batches; each is one script. */
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
    scope: Scope,
    items: readonly (NewMemory | RefusedMemory)[],
    { now, request, step = WHOLE_BATCH }: CreateOptions,
  ): Promise<CreateOutcome[]> {
    const { before } = step;
    // Nothing to write brings no namespace into being.
    if (request === undefined && items.every((item) => "refusal" in item)) {
      return [...before, ...items.map((item): CreateOutcome => ({ kind: "refused", error: item.refusal }))];
    }
    await this.#options.accesses.settle(
      scope,
      items.flatMap((item) => ("refusal" in item ? [] : [item.memory.id])),
    );
    let observed: readonly Observation[] = [];
    for (let tries = 0; tries < MAX_OBSERVATIONS; tries += 1) {
      const answer = await this.#createAsObserved(scope, items, { now, request, step }, observed);
      if (!("observed" in answer)) return answer.outcomes;
      observed = answer.observed;
    }
    throw unavailable("the memories that duplicates were found of are being changed all the time");
  }

  /** Carries out what the observations lead to; or answers what was observed instead, and nothing was written. */
  async #createAsObserved(
    scope: Scope,
    items: readonly (NewMemory | RefusedMemory)[],
    options: {
      readonly now: number;
      readonly request: IdempotentRequest | undefined;
      readonly step: BatchStep;
    },
    observed: readonly Observation[],
  ): Promise<{ readonly outcomes: CreateOutcome[] } | { readonly observed: readonly Observation[] }> {
    const { now, request, step } = options;
    let plan: readonly PlannedItem[] = [];
    let accesses = this.#options.accesses.current(scope);
    const reply = await this.#run(scope, {
      script: CREATE,
      whenAbsent: "create",
      mayRepeat: request !== undefined,
      keys: (namespace) => [namespace.request(request?.key ?? ""), ...memoryKeys(namespace)],
      args: (namespace) => {
        const written = items.map((item) => ("refusal" in item ? item : this.#ofThisModel(item)));
        plan = planCreation(scope, written, { observed, now });
        accesses = this.#options.accesses.current(scope);
        return [
          ...requestArguments(request),
          now,
          this.#options.model.generation,
          step.before.length,
          request === undefined ? "" : recordOfBatch(step, plan),
          ...plan.flatMap((one, at) => plannedArguments(namespace, written[at], one, this.#options.pack)),
        ];
      },
    });
    const recorded = repeated(reply);
    if (recorded !== undefined) return { outcomes: await this.#replay(scope, recordedBatch(recorded), now) };
    const [word, facts] = listOf(reply);
    if (textOf(word) === "OBSERVED") {
      const meets = listOf(facts).values();
      return {
        observed: items.map((item) =>
          "refusal" in item ? "FREE" : this.#observation(meets.next().value, accesses),
        ),
      };
    }
    const outcomes = withPositions(plan, listOf(facts).map(numberOf));
    const waits = plan.some(({ write }) =>
      write?.kind === "create" ? waitsAs(write.item) !== "" : write?.memory.embedding.state === "PENDING",
    );
    this.#options.onWritten(scope, { now, waits });
    return { outcomes: [...step.before, ...outcomes] };
  }

  #observation(reply: Reply | undefined, accesses: ReturnType<MemoryAccesses["current"]>): Observation {
    if (!Array.isArray(reply)) return textOf(reply) === "TAKEN" ? "TAKEN" : "FREE";
    const row = readRow(reply, this.#options.model.identity);
    return row === undefined ? "FREE" : storedMemory(row, accesses?.get(row.id));
  }

  async import(
    scope: Scope,
    items: readonly ImportedMemory[],
    { now }: { readonly now: number },
  ): Promise<ImportOutcome[]> {
    await this.#options.accesses.settle(
      scope,
      items.map(({ memory }) => memory.id),
    );
    let written = items;
    const reply = await this.#run(scope, {
      script: IMPORT,
      whenAbsent: "create",
      keys: memoryKeys,
      args: (namespace) => {
        written = items.map((item) => this.#ofThisModel(item));
        return [
          now,
          this.#options.model.generation,
          ...written.flatMap((item) => [
            item.memory.sessionPosition,
            ...memoryArguments(namespace.number, item, this.#options.pack),
          ]),
        ];
      },
    });
    const flags = listOf(listOf(reply)[1]).map((flag) => numberOf(flag) === 1);
    const waits = written.some((item, at) => flags[at] === true && waitsAs(item) !== "");
    this.#options.onWritten(scope, { now, waits });
    return flags.map((isWritten) => (isWritten ? "imported" : "skipped"));
  }

  async replace(
    scope: Scope,
    expectedEtag: string,
    replacement: Replacement,
    { now, request }: Request,
  ): Promise<StoredMemory> {
    const { id } = replacement.memory;
    await this.#options.accesses.written();
    let written = replacement;
    let accesses = this.#options.accesses.current(scope);
    const reply = await this.#run(scope, {
      script: REPLACE,
      mayRepeat: request !== undefined,
      keys: (namespace) => [namespace.request(request?.key ?? ""), ...memoryKeys(namespace)],
      args: (namespace) => {
        written = this.#ofThisModel(replacement);
        accesses = this.#options.accesses.current(scope);
        return [
          ...requestArguments(request),
          now,
          this.#options.model.generation,
          expectedEtag,
          ...memoryArguments(namespace.number, written, this.#options.pack),
        ];
      },
    });
    const answer = current(scope, id, reply);
    const isRepeat = repeated(answer) !== undefined;
    if (!isRepeat) this.#options.onWritten(scope, { now, waits: waitsAs(written) !== "" });
    const row = readRow(answer[isRepeat ? 2 : 1], this.#options.model.identity);
    if (row === undefined) throw memoryNotFound(scope.namespace, id);
    return storedMemory(row, accesses?.get(id));
  }

  async replayReplace(
    scope: Scope,
    id: string,
    { now, request }: { readonly now: number; readonly request: IdempotentRequest },
  ): Promise<StoredMemory | undefined> {
    await this.#options.accesses.written();
    let accesses = this.#options.accesses.current(scope);
    const reply = await this.#namespaces.run(scope, {
      script: RECALL,
      mayRepeat: true,
      keys: (namespace) => [namespace.request(request.key), ...memoryKeys(namespace)],
      args: () => {
        accesses = this.#options.accesses.current(scope);
        return [request.bodyHash, now, id];
      },
    });
    const answer = current(scope, id, reply);
    if (repeated(answer) === undefined) return undefined;
    const row = readRow(answer[2], this.#options.model.identity);
    return row === undefined ? undefined : storedMemory(row, accesses?.get(id));
  }

  async delete(
    scope: Scope,
    id: string,
    { etag, now, request }: Request & { readonly etag?: string },
  ): Promise<void> {
    const reply = await this.#namespaces.run(scope, {
      script: DELETE,
      mayRepeat: request !== undefined,
      keys: (namespace) => [namespace.request(request?.key ?? ""), ...memoryKeys(namespace)],
      args: () => [...requestArguments(request), now, id, ...(etag === undefined ? [] : [etag])],
    });
    if (repeated(current(scope, id, reply)) !== undefined) return;
    this.#options.accesses.forget(scope, [id]);
    this.#options.onWritten(scope, { now, waits: false });
  }

  /** Runs a script that writes vectors, again when they are of another generation of the model than was known. */
  async #run(scope: Scope, script: NamespaceScript): Promise<Reply | undefined> {
    for (let tries = 0; tries < MODEL_TRIES; tries += 1) {
      const reply = await this.#namespaces.run(scope, script);
      if (reply === undefined || textOf(listOf(reply)[0]) !== "MODEL") return reply;
      await this.#options.model.refresh();
    }
    throw modelIsChanging();
  }

  /** What is written of a new state: a vector of another model stays outside, and the memory waits for its own. */
  #ofThisModel<Item extends Replacement>(item: Item): Item {
    const { embedding } = item.memory;
    if (embedding.state !== "READY" || this.#options.model.takes(embedding)) return item;
    const { vector: _ofAnother, ...rest } = item;
    const memory = { ...item.memory, embedding: { ...embedding, state: "PENDING" as const } };
    return { ...rest, memory } as unknown as Item;
  }

  /** What a request did before, with its memories as they now are. */
  async #replay(scope: Scope, items: readonly RecordedItem[], now: number): Promise<CreateOutcome[]> {
    const ids = items.flatMap(([kind, id]) => (kind === "created" || kind === "duplicate" ? [id] : []));
    const found = await this.#options.reads.get(scope, ids, now);
    const memories = new Map(found.flatMap((memory) => (memory === undefined ? [] : [[memory.id, memory]])));
    return items.map((recorded): CreateOutcome => {
      const [kind, id, differs = []] = recorded;
      if (kind !== "created" && kind !== "duplicate") return refusalOf(scope, recorded);
      const memory = memories.get(id);
      if (memory === undefined) return { kind: "refused", error: memoryNotFound(scope.namespace, id) };
      return kind === "created" ? { kind, memory } : { kind, memory, differs };
    });
  }
}

/** What create-memories.lua takes of an item. */
function plannedArguments(
  namespace: NamespaceKeys,
  item: NewMemory | RefusedMemory | undefined,
  { observed, write }: PlannedItem,
  pack: PackRecord,
): Argument[] {
  if (item === undefined || "refusal" in item) return [];
  const meets = typeof observed === "string" ? MEETS[observed] : observed.etag;
  const key = item.onDuplicate === "ALLOW" ? "" : item.duplicateKey;
  const looked = [write?.kind ?? "", item.memory.id, key, meets];
  if (write === undefined) return looked;
  return write.kind === "create"
    ? [...looked, ...memoryArguments(namespace.number, write.item, pack)]
    : [...looked, ...mergeArguments(namespace.number, write.memory, pack)];
}

const MEETS = { FREE: "", TAKEN: "TAKEN" } as const;

/** The outcomes with the session positions of what was created, in order; those of duplicates of it too. */
function withPositions(plan: readonly PlannedItem[], positions: readonly number[]): CreateOutcome[] {
  const created = plan.flatMap(({ write }) => (write?.kind === "create" ? [write.item.memory.id] : []));
  const positionOf = new Map(created.map((id, at) => [id, positions[at] ?? 0]));
  return plan.map(({ outcome }): CreateOutcome => {
    if (outcome.kind === "refused") return outcome;
    const sessionPosition = positionOf.get(outcome.memory.id);
    return sessionPosition === undefined
      ? outcome
      : { ...outcome, memory: { ...outcome.memory, sessionPosition } };
  });
}

/** How far a batch has come, and what became of its items. */
function recordOfBatch({ before, isLast }: BatchStep, plan: readonly PlannedItem[]): string {
  const outcomes = [...before, ...plan.map(({ outcome }) => outcome)];
  const items = JSON.stringify(outcomes.map(recordedItem));
  return isLast ? items : `+${outcomes.length} ${items}`;
}

function recordedItem(outcome: CreateOutcome): RecordedItem {
  if (outcome.kind === "refused") return ["refused", keptRefusal(outcome.error)];
  if (outcome.kind === "created") return ["created", outcome.memory.id];
  return ["duplicate", outcome.memory.id, outcome.differs];
}

function keptRefusal({ reason, message, detail }: RecollectError): string {
  const { cause: _cause, ...kept } = detail;
  return JSON.stringify({ reason, message, detail: kept });
}

/** The items of a batch, whether it is whole or not: see recordOfBatch. */
function recordedBatch(outcome: string): RecordedItem[] {
  return JSON.parse(outcome.replace(/^\+\d+ /, "")) as RecordedItem[];
}

function refusalOf({ namespace }: Scope, [kind, what]: RecordedItem): CreateOutcome {
  if (kind === "taken") return { kind: "refused", error: memoryExists(namespace, what) };
  if (kind === "same") return { kind: "refused", error: memoryDuplicate(namespace, what) };
  const { reason, message, detail } = JSON.parse(what) as Pick<
    RecollectError,
    "reason" | "message" | "detail"
  >;
  return { kind: "refused", error: new RecollectError(reason, message, detail) };
}

/** The answer about a memory that has to be there. Throws MEMORY_NOT_FOUND or ETAG_MISMATCH. */
function current(scope: Scope, id: string, reply: Reply | undefined): readonly Reply[] {
  if (reply === undefined) throw memoryNotFound(scope.namespace, id);
  const answer = listOf(reply);
  const word = textOf(answer[0]);
  if (word === "MISSING") throw memoryNotFound(scope.namespace, id);
  if (word === "CHANGED") throw memoryChanged(id, textOf(answer[1]) ?? "");
  return answer;
}
