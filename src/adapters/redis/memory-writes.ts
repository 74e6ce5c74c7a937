import {
  memoryChanged,
  memoryDuplicate,
  memoryExists,
  memoryNotFound,
  RecollectError,
} from "../../domain/errors.ts";
import type { StoredMemory } from "../../domain/memory/memory.ts";
import type { Scope } from "../../domain/tenancy.ts";
import type { IdempotentRequest } from "../../ports/idempotency.ts";
import type {
  BatchStep,
  CreateOptions,
  CreateOutcome,
  ImportedMemory,
  ImportOutcome,
  NewMemory,
  RefusedMemory,
  Replacement,
} from "../../ports/memory-store.ts";
import type { Argument, Reply } from "./client.ts";
import type { NamespaceKeys } from "./keys.ts";
import type { MemoryAccesses } from "./memory-accesses.ts";
import type { MemoryReads } from "./memory-reads.ts";
import { memoryArguments, memoryKeys, readRow, storedMemory, waitsAs } from "./memory-rows.ts";
import type { NamespaceScript, Namespaces } from "./namespaces.ts";
import type { PackRecord } from "./record.ts";
import { listOf, numberOf, textOf } from "./replies.ts";
import { repeated, requestArguments } from "./requests.ts";
import { readScript } from "./script.ts";
import { MODEL_TRIES, modelIsChanging } from "./store-error.ts";
import type { VectorModel } from "./vector-model.ts";

const LIBRARIES = ["namespace", "request", "memory", "read-memory"];
const CREATE = readScript("create-memories", { libraries: LIBRARIES, effect: "writes" });
const IMPORT = readScript("import-memories", { libraries: LIBRARIES, effect: "writes" });
const REPLACE = readScript("replace-memory", { libraries: LIBRARIES, effect: "writes" });
const RECALL = readScript("recall-replace", { libraries: LIBRARIES, effect: "frees" });
const DELETE = readScript("delete-memory", { libraries: LIBRARIES, effect: "frees" });

/** What became of one item, as create-memories.lua records it: ids, and refusals as JSON. */
type RecordedItem = readonly [kind: "created" | "duplicate" | "taken" | "same" | "refused", what: string];

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
export class MemoryWrites {
  readonly #namespaces: Namespaces;
  readonly #options: MemoryWritesOptions;

  constructor(namespaces: Namespaces, options: MemoryWritesOptions) {
    this.#namespaces = namespaces;
    this.#options = options;
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
    let written: readonly (NewMemory | RefusedMemory)[] = items;
    let accesses = this.#options.accesses.current(scope);
    const reply = await this.#run(scope, {
      script: CREATE,
      whenAbsent: "create",
      mayRepeat: request !== undefined,
      keys: (namespace) => [namespace.request(request?.key ?? ""), ...memoryKeys(namespace)],
      args: (namespace) => {
        written = items.map((item) => ("refusal" in item ? item : this.#ofThisModel(item)));
        accesses = this.#options.accesses.current(scope);
        return [
          ...requestArguments(request),
          now,
          this.#options.model.generation,
          ...stepArguments(step, request !== undefined),
          ...written.flatMap((item) => createArguments(namespace, item, this.#options.pack)),
        ];
      },
    });
    const recorded = repeated(reply);
    if (recorded !== undefined) return this.#replay(scope, recordedBatch(recorded), now);
    const [, outcome, known] = listOf(reply);
    const facts = listOf(known);
    let waits = false;
    const outcomes = recordedItems(textOf(outcome) ?? "").map((recorded, at): CreateOutcome => {
      const [kind, what] = recorded;
      const item = written[at];
      if (kind === "created" && item !== undefined && !("refusal" in item)) {
        waits ||= waitsAs(item) !== "";
        return { kind, memory: { ...item.memory, sessionPosition: numberOf(facts[at]) } };
      }
      if (kind === "duplicate") {
        const row = readRow(facts[at], this.#options.model.identity);
        if (row === undefined) throw new TypeError(`the duplicate ${what} was found and is not there`);
        return { kind, memory: storedMemory(row, accesses?.get(what)) };
      }
      if (item !== undefined && "refusal" in item) return { kind: "refused", error: item.refusal };
      return refusalOf(scope, recorded);
    });
    this.#options.onWritten(scope, { now, waits });
    return [...before, ...outcomes];
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

  async recallReplace(
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
      const [kind, id] = recorded;
      if (kind !== "created" && kind !== "duplicate") return refusalOf(scope, recorded);
      const memory = memories.get(id);
      return memory === undefined
        ? { kind: "refused", error: memoryNotFound(scope.namespace, id) }
        : { kind, memory };
    });
  }
}

function createArguments(
  namespace: NamespaceKeys,
  item: NewMemory | RefusedMemory,
  pack: PackRecord,
): Argument[] {
  if ("refusal" in item) return ["REFUSED", keptRefusal(item.refusal)];
  return ["NEW", item.onDuplicate, item.duplicateKey, ...memoryArguments(namespace.number, item, pack)];
}

/** How far a batch has come; what became of its items is for its record alone. */
function stepArguments({ before, isLast }: BatchStep, isRecorded: boolean): Argument[] {
  const outcome = isRecorded ? before.map(recordedItem) : [];
  return [before.length, JSON.stringify(outcome), isLast ? 1 : 0];
}

function recordedItem(outcome: CreateOutcome): RecordedItem {
  if (outcome.kind === "refused") return ["refused", keptRefusal(outcome.error)];
  return [outcome.kind, outcome.memory.id];
}

function keptRefusal({ reason, message, detail }: RecollectError): string {
  const { cause: _cause, ...kept } = detail;
  return JSON.stringify({ reason, message, detail: kept });
}

/** The items of a batch, whether it is whole or not: see create-memories.lua. */
function recordedBatch(outcome: string): RecordedItem[] {
  return recordedItems(outcome.replace(/^\+\d+ /, ""));
}

function recordedItems(outcome: string): RecordedItem[] {
  return JSON.parse(outcome) as RecordedItem[];
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
