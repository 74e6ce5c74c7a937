import type { Scope } from "../../../domain/access/tenancy.ts";
import { clampSimilarity } from "../../../domain/embedding/vector.ts";
import {
  memoryChanged,
  memoryDuplicate,
  memoryExists,
  memoryNotFound,
  RecollectError,
} from "../../../domain/errors.ts";
import { type AccessBatch, AccessTally, sum } from "../../../domain/memory/access-counts.ts";
import { contentBytes, type StepLimits } from "../../../domain/memory/batch-steps.ts";
import { type CorpusStatistics, chooseTerms, countTerms } from "../../../domain/memory/bm25.ts";
import { mergeDuplicate } from "../../../domain/memory/duplicate.ts";
import { type MemoryFilter, metadataTokens } from "../../../domain/memory/filter.ts";
import {
  type AccessStatistics,
  isExpired,
  type Memory,
  recordOf,
  type StoredMemory,
  withAccess,
} from "../../../domain/memory/memory.ts";
import { keywordArm, NOTHING_ASKED } from "../../../domain/memory/search-plan.ts";
import { withinBytes } from "../../../domain/page-token.ts";
import { YieldBudget } from "../../../lib/yield-to-event-loop.ts";
import type { EmbedderIdentity } from "../../../ports/embedding/embedder.ts";
import type { IdempotentRequest } from "../../../ports/idempotency.ts";
import type { Log } from "../../../ports/log.ts";
import type {
  BatchStep,
  CandidateQuery,
  Candidates,
  CreateOptions,
  CreateOutcome,
  ImportedMemory,
  ImportOutcome,
  ListPosition,
  MemoryStore,
  NewMemory,
  RefusedMemory,
  Replacement,
} from "../../../ports/memory/memory-store.ts";
import { BatchedWrites } from "../database/batched-writes.ts";
import { openRecord, openVector, sealRecord, sealVector } from "../database/checksums.ts";
import type { Damage } from "../database/damage.ts";
import type { Database, Row, Written } from "../database/database.ts";
import { type DeleteStep, inSteps } from "../database/delete-steps.ts";
import type { WaitingRows } from "../database/pending-rows.ts";
import type { KeywordIndex } from "../keywords/keyword-index.ts";
import { isDefaultFilter, memoryCondition } from "../keywords/row-filter.ts";
import { readTerms, termBytes } from "../keywords/terms.ts";
import { keepBatch, type RecordedItem, readBatch, recordedRefusal } from "../namespaces/batch-record.ts";
import type { Requests } from "../namespaces/idempotency.ts";
import type { Namespaces } from "../namespaces/namespace-ids.ts";
import { factsOf, type MemoryVectors } from "../vectors/memory-vectors.ts";
import type { Nearest } from "../vectors/vector-index.ts";
import type { VectorModel } from "../vectors/vector-model.ts";

/** Expired memories are removed a few at each write, of long ones one, so that no write pays for all of them. */
const SWEEP_LIMIT = 32;
const SWEEP_BYTES = 16 * 1024;

/** What `#memoryOf` reads, of `memory m` and its access statistics. */
const STORED = "m.id, m.namespace_id, m.record, a.access_count, a.last_access_time";
const WITH_ACCESS = "LEFT JOIN memory_access a ON a.row = m.row";

const WHOLE_BATCH: BatchStep = { before: [], isLast: true };

/** What the record says of a request that came before, as far as it was carried out. */
interface CarriedOut {
  readonly namespaceId: number;
  readonly items: readonly RecordedItem[];
}

/** How far a purge has come. */
type PurgeProgress = { readonly count: number; readonly done: boolean };

/**
 * What one transaction takes: some 10 ms, and 50 when the full-text index merges what it has written (measured with
 * texts in which all words differ).
 */
const STEP_LIMITS: StepLimits = { bytes: 64 * 1024, bytesAMemory: 128 };

export interface EmbeddedMemoryStoreOptions {
  /** Of which model the vectors are. */
  readonly model: VectorModel;
  readonly vectors: MemoryVectors;
  readonly keywords: KeywordIndex;
  readonly damage: Damage;
  /** Where memories wait that have no vector yet. */
  readonly waiting: WaitingRows;
  readonly log: Log;
}

/** Memories in SQLite, with FTS5 for keyword candidates and indexes of vectors in memory. */
export class EmbeddedMemoryStore implements MemoryStore {
  readonly stepLimits = STEP_LIMITS;
  readonly #database: Database;
  readonly #namespaces: Namespaces;
  readonly #requests: Requests;
  readonly #keywords: KeywordIndex;
  readonly #options: EmbeddedMemoryStoreOptions;
  readonly #tally = new AccessTally();
  readonly #accesses: BatchedWrites<AccessBatch>;

  constructor(
    database: Database,
    namespaces: Namespaces,
    requests: Requests,
    options: EmbeddedMemoryStoreOptions,
  ) {
    this.#database = database;
    this.#namespaces = namespaces;
    this.#requests = requests;
    this.#keywords = options.keywords;
    this.#options = options;
    this.#accesses = new BatchedWrites({
      database,
      log: options.log,
      lost: "accesses to memories could not be counted",
      take: () => this.#tally.take(),
      write: (batch) => this.#writeAccesses(batch),
      settle: (batch) => this.#tally.settle(batch),
    });
  }

  /** Leaves the accesses that were counted to the database, which is closed by its owner. */
  [Symbol.dispose](): void {
    this.#accesses[Symbol.dispose]();
  }

  async create(
    scope: Scope,
    items: readonly (NewMemory | RefusedMemory)[],
    { now, request, step = WHOLE_BATCH }: CreateOptions,
  ): Promise<CreateOutcome[]> {
    const { before, isLast } = step;
    // Nothing to write brings no namespace into being.
    if (request === undefined && items.every((item) => "refusal" in item)) {
      return [...before, ...items.map((item): CreateOutcome => ({ kind: "refused", error: item.refusal }))];
    }
    const written = await this.#database.write(
      (): Written<CreateOutcome[] | CarriedOut> => {
        const namespaceId = this.#namespaces.findOrCreate(scope);
        const recorded = this.#requests.recall(namespaceId, request, now);
        const batch = recorded === undefined ? undefined : readBatch(recorded);
        if (batch !== undefined && (batch.isWhole || batch.items.length !== before.length)) {
          return { result: { namespaceId, items: batch.items } };
        }
        const afterCommit = this.#sweep(now);
        const outcomes = items.map((item) => this.#createOne(scope, namespaceId, item, now, afterCommit));
        const sofar = [...before, ...outcomes];
        this.#requests.record(namespaceId, request, keepBatch(sofar, isLast), now);
        return { result: sofar, afterCommit: () => runAll(afterCommit) };
      },
      { bytes: stepBytes(items) },
    );
    return Array.isArray(written) ? written : this.#replay(scope, written, now);
  }

  import(
    scope: Scope,
    items: readonly ImportedMemory[],
    options: { readonly now: number },
  ): Promise<ImportOutcome[]> {
    const { now } = options;
    return this.#database.write(
      (): Written<ImportOutcome[]> => {
        const namespaceId = this.#namespaces.findOrCreate(scope);
        const afterCommit = this.#sweep(now);
        const outcomes = items.map((item): ImportOutcome => {
          const there = this.#row(namespaceId, item.memory.id);
          if (isHeld(there, now)) return "skipped";
          // Ended, but not swept yet: the id is free.
          if (there !== undefined) afterCommit.push(this.#remove(there));
          const position = this.#importedPosition(namespaceId, item.memory, now);
          afterCommit.push(this.#insertNew(namespaceId, item, position, now).remember);
          return "imported";
        });
        return { result: outcomes, afterCommit: () => runAll(afterCommit) };
      },
      { bytes: stepBytes(items) },
    );
  }

  async exist(scope: Scope, ids: readonly string[], now: number): Promise<boolean[]> {
    const namespaceId = this.#namespaces.find(scope);
    if (namespaceId === undefined) return ids.map(() => false);
    return ids.map((id) => {
      const row = this.#database.first(
        "SELECT expire_time FROM memory WHERE namespace_id = ? AND id = ?",
        namespaceId,
        id,
      );
      return isHeld(row, now);
    });
  }

  async get(scope: Scope, ids: readonly string[], now: number): Promise<(StoredMemory | undefined)[]> {
    const namespaceId = this.#namespaces.find(scope);
    return ids.map((id) => {
      const row = namespaceId === undefined ? undefined : this.#row(namespaceId, id);
      if (row === undefined) {
        if (this.#options.damage.hidesMemories) throw this.#missing(scope, id);
        return undefined;
      }
      const memory = this.#memoryOf(row);
      return isExpired(memory, now) ? undefined : memory;
    });
  }

  async list(
    scope: Scope,
    options: {
      readonly filter: MemoryFilter;
      readonly after?: ListPosition;
      readonly limit: number;
      readonly now: number;
    },
  ): Promise<StoredMemory[]> {
    const namespaceId = this.#namespaces.find(scope);
    if (namespaceId === undefined) return [];
    await this.#upToDate(options.filter);
    const condition = memoryCondition(namespaceId, options.filter, options.now);
    const { after } = options;
    const rows = this.#database.all(
      `SELECT ${STORED} FROM memory m ${WITH_ACCESS} WHERE ${condition.sql}
       ${after === undefined ? "" : "AND (m.create_time, m.id) < (?, ?)"}
       ORDER BY m.create_time DESC, m.id DESC LIMIT ?`,
      ...condition.values,
      ...(after === undefined ? [] : [after.createTime, after.id]),
      options.limit,
    );
    return rows.map((row) => this.#memoryOf(row));
  }

  async listOldest(
    scope: Scope,
    options: {
      readonly filter: MemoryFilter;
      readonly after?: ListPosition;
      readonly limit: number;
      readonly maxBytes: number;
      readonly now: number;
    },
  ): Promise<Memory[]> {
    const namespaceId = this.#namespaces.find(scope);
    if (namespaceId === undefined) return [];
    const { filter, after, limit, maxBytes, now } = options;
    await this.#upToDate(filter);
    const condition = memoryCondition(namespaceId, filter, now);
    // Keys and sizes first: a page of long texts is never read beyond its end.
    const rows = this.#database.all(
      // Named, because the planner would rather sort everything of one user anew for each page.
      `SELECT m.row, octet_length(m.record) AS bytes FROM memory m INDEXED BY memory_by_time
       WHERE ${condition.sql}
       ${after === undefined ? "" : "AND (m.create_time, m.id) > (?, ?)"}
       ORDER BY m.create_time, m.id LIMIT ?`,
      ...condition.values,
      ...(after === undefined ? [] : [after.createTime, after.id]),
      limit,
    );
    return withinBytes(rows, (row) => Number(row["bytes"]), maxBytes).flatMap(({ row }) => {
      const found = this.#database.first("SELECT id, record FROM memory WHERE row = ?", row ?? null);
      return found === undefined ? [] : [memoryOf(found)];
    });
  }

  delete(
    scope: Scope,
    id: string,
    options: { readonly etag?: string; readonly now: number; readonly request?: IdempotentRequest },
  ): Promise<void> {
    const { etag, now, request } = options;
    return this.#database.write(
      (): Written<void> => {
        const namespaceId = this.#namespaces.find(scope);
        if (namespaceId === undefined) throw this.#missing(scope, id);
        if (this.#requests.recall(namespaceId, request, now) !== undefined) return { result: undefined };
        const row = this.#row(namespaceId, id);
        if (row === undefined || !isHeld(row, now)) {
          throw this.#missing(scope, id);
        }
        // Without an etag the record is not read: so a damaged one can be deleted.
        if (etag !== undefined) {
          const memory = memoryOf(row);
          if (etag !== memory.etag) throw memoryChanged(memory.id, memory.etag);
        }
        const afterCommit = this.#remove(row);
        this.#requests.record(namespaceId, request, { deleted: id }, now);
        return { result: undefined, afterCommit };
      },
      { deletes: true },
    );
  }

  replace(
    scope: Scope,
    expectedEtag: string,
    replacement: Replacement,
    options: { readonly now: number; readonly request?: IdempotentRequest },
  ): Promise<StoredMemory> {
    const { now, request } = options;
    const { id } = replacement.memory;
    return this.#database.write((): Written<StoredMemory> => {
      const { namespaceId, row, current } = this.#current(scope, id, now);
      if (this.#requests.recall(namespaceId, request, now) !== undefined) return { result: current };
      if (current.etag !== expectedEtag) throw memoryChanged(current.id, current.etag);
      const forget = this.#removeRow(row);
      const inserted = this.#insert(namespaceId, replacement, current.sessionPosition, now);
      const access = accessOf(row);
      if (access !== undefined) this.#writeAccess(namespaceId, id, access);
      this.#requests.record(namespaceId, request, { replaced: id }, now);
      return {
        result: withAccess(inserted.memory, current.access),
        afterCommit: () => {
          forget();
          inserted.remember();
        },
      };
    });
  }

  recallReplace(
    scope: Scope,
    id: string,
    { now, request }: { readonly now: number; readonly request: IdempotentRequest },
  ): Promise<StoredMemory | undefined> {
    return this.#database.write((): Written<StoredMemory | undefined> => {
      const { namespaceId, current } = this.#current(scope, id, now);
      const isRepeat = this.#requests.recall(namespaceId, request, now) !== undefined;
      return { result: isRepeat ? current : undefined };
    });
  }

  countAccess(scope: Scope, ids: readonly string[], now: number): void {
    if (ids.length === 0) return;
    const namespaceId = this.#accessedNamespace(scope);
    if (namespaceId === undefined) return;
    for (const id of ids) this.#tally.add(String(namespaceId), id, now);
    this.#accesses.counted(this.#tally.size);
  }

  async count(scope: Scope, filter: MemoryFilter, now: number): Promise<number> {
    const namespaceId = this.#namespaces.find(scope);
    if (namespaceId === undefined) return 0;
    await this.#upToDate(filter);
    const condition = memoryCondition(namespaceId, filter, now);
    const row = this.#database.first(
      `SELECT count(*) AS n FROM memory m WHERE ${condition.sql}`,
      ...condition.values,
    );
    return Number(row?.["n"] ?? 0);
  }

  async purge(
    scope: Scope,
    filter: MemoryFilter,
    options: { readonly now: number; readonly request?: IdempotentRequest },
  ): Promise<number> {
    await this.#upToDate(filter);
    let progress: PurgeProgress = { count: 0, done: false };
    await inSteps(async (most) => {
      const step = { before: progress, most };
      progress = await this.#database.write(() => this.#purgeStep(scope, filter, step, options), {
        deletes: true,
      });
      return progress.done;
    });
    return progress.count;
  }

  /** One transaction of a purge. The namespace may come and go between two. */
  #purgeStep(
    scope: Scope,
    filter: MemoryFilter,
    { before, most }: { readonly before: PurgeProgress; readonly most: DeleteStep },
    { now, request }: { readonly now: number; readonly request?: IdempotentRequest },
  ): Written<PurgeProgress> {
    // Beside the namespace, which need not be there: what comes into it later is not this request's to delete.
    const records = request === undefined ? undefined : this.#namespaces.recordsOf(scope.tenant);
    const named = request && { ...request, key: `${scope.namespace} ${request.key}` };
    const recorded = records === undefined ? undefined : this.#requests.recall(records, named, now);
    // Repeats that come while it runs, or after a crash, carry it on together and answer alike.
    const sofar = (recorded as PurgeProgress | undefined) ?? before;
    if (sofar.done) return { result: sofar };
    const namespaceId = this.#namespaces.find(scope);
    const condition = namespaceId === undefined ? undefined : memoryCondition(namespaceId, filter, now);
    const rows =
      condition === undefined
        ? []
        : this.#database.all(
            `SELECT m.row, m.id, m.namespace_id, m.term_count FROM memory m WHERE ${condition.sql} LIMIT ?`,
            ...condition.values,
            most.rows,
          );
    const taken = withinBytes(rows, termBytes, most.bytes);
    const forget = taken.map((row) => this.#remove(row));
    const progress = {
      count: sofar.count + taken.length,
      done: rows.length < most.rows && taken.length === rows.length,
    };
    if (records !== undefined) this.#requests.record(records, named, progress, now);
    return {
      result: progress,
      afterCommit: () => {
        for (const one of forget) one();
      },
    };
  }

  async search(scope: Scope, query: CandidateQuery, now: number): Promise<Candidates> {
    const namespaceId = this.#namespaces.find(scope);
    if (namespaceId === undefined) {
      return { nearest: [], containing: [], corpus: EMPTY_CORPUS, plan: NOTHING_ASKED };
    }
    await this.#upToDate(query.filter);
    if (query.vector !== undefined) this.#options.model.check(query.model);
    const near = query.vector && this.#nearest(namespaceId, query, query.vector, now);
    const { asked, ...byWords } = this.#containing(namespaceId, query, now);
    return {
      nearest: (near?.found ?? []).map(({ facts, similarity }) => ({
        ...facts,
        similarity: clampSimilarity(similarity),
      })),
      ...byWords,
      plan: {
        ...(near === undefined ? {} : { vector: near.arm }),
        ...keywordArm(query.terms ?? [], asked, byWords.corpus),
        walked: false,
        rounds: near?.rounds ?? 1,
      },
    };
  }

  async vectors(
    scope: Scope,
    ids: readonly string[],
    model?: EmbedderIdentity,
  ): Promise<(Float32Array | undefined)[]> {
    this.#options.model.check(model);
    const namespaceId = this.#namespaces.find(scope);
    if (namespaceId === undefined) return ids.map(() => undefined);
    return ids.map((id) => {
      const row = this.#database.first(
        `SELECT v.vector FROM memory m JOIN memory_vector v ON v.row = m.row
         WHERE m.namespace_id = ? AND m.id = ?`,
        namespaceId,
        id,
      );
      return row === undefined ? undefined : openVector(row["vector"], `the vector of memory ${id}`);
    });
  }

  /** A memory that is not there: it never was, or was deleted; in a damaged file nobody can say. */
  #missing(scope: Scope, id: string): RecollectError {
    if (!this.#options.damage.hidesMemories) return memoryNotFound(scope.namespace, id);
    const message = `memory ${id} is not in namespace ${scope.namespace}, or is among what is damaged on disk`;
    return new RecollectError("STORE_CORRUPT", message, {
      metadata: { backend: "embedded", id, namespace: scope.namespace },
      resource: { type: "memory", name: id },
    });
  }

  /** What a request has done so far, with its memories as they now are. */
  async #replay(scope: Scope, { namespaceId, items }: CarriedOut, now: number): Promise<CreateOutcome[]> {
    const budget = new YieldBudget();
    const outcomes: CreateOutcome[] = [];
    for (const item of items) {
      const outcome = this.#replayOne(scope, namespaceId, item, now);
      outcomes.push(outcome);
      if (outcome.kind !== "refused") await budget.spend(outcome.memory.text.length);
    }
    return outcomes;
  }

  #replayOne(scope: Scope, namespaceId: number, item: RecordedItem, now: number): CreateOutcome {
    const error = recordedRefusal(item);
    if (error !== undefined) return { kind: "refused", error };
    const id = item.id ?? "";
    const row = this.#row(namespaceId, id);
    const memory = row === undefined ? undefined : this.#memoryOf(row);
    if (memory === undefined || isExpired(memory, now)) {
      return { kind: "refused", error: this.#missing(scope, id) };
    }
    return item.kind === "duplicate"
      ? { kind: "duplicate", memory, differs: item.differs ?? [] }
      : { kind: "created", memory };
  }

  #createOne(
    scope: Scope,
    namespaceId: number,
    item: NewMemory | RefusedMemory,
    now: number,
    afterCommit: (() => void)[],
  ): CreateOutcome {
    if ("refusal" in item) return { kind: "refused", error: item.refusal };
    const existing = this.#existing(scope, namespaceId, item, now, afterCommit);
    if (existing !== undefined) return existing;
    const position = this.#nextPosition(namespaceId, item.memory.sessionId);
    const { memory, remember } = this.#insertNew(namespaceId, item, position, now);
    afterCommit.push(remember);
    return { kind: "created", memory };
  }

  /** What stands in the way of an item: its id is taken, or its text is there. */
  #existing(
    scope: Scope,
    namespaceId: number,
    item: NewMemory,
    now: number,
    afterCommit: (() => void)[],
  ): CreateOutcome | undefined {
    const { id } = item.memory;
    const taken = this.#row(namespaceId, id);
    if (taken !== undefined && !isExpired(this.#memoryOf(taken), now)) {
      return { kind: "refused", error: memoryExists(scope.namespace, id) };
    }
    const duplicate = item.onDuplicate === "ALLOW" ? undefined : this.#duplicate(namespaceId, item, now);
    if (duplicate !== undefined) {
      return item.onDuplicate === "RETURN_EXISTING"
        ? this.#merge(duplicate, item.memory, now, afterCommit)
        : { kind: "refused", error: memoryDuplicate(scope.namespace, String(duplicate["id"])) };
    }
    // Ended, but not swept yet: the id is free.
    if (taken !== undefined) afterCommit.push(this.#remove(taken));
    return undefined;
  }

  #duplicate(namespaceId: number, item: NewMemory, now: number): Row | undefined {
    return this.#database.first(
      // Named, because the planner would rather walk the whole namespace in order of time than sort a few rows.
      `SELECT m.row, ${STORED} FROM memory m INDEXED BY memory_by_duplicate ${WITH_ACCESS}
       WHERE m.namespace_id = ? AND m.duplicate_key = ? AND m.state = 'ACTIVE'
       AND (m.expire_time IS NULL OR m.expire_time > ?) ORDER BY m.create_time, m.row LIMIT 1`,
      namespaceId,
      item.duplicateKey,
      now,
    );
  }

  /** Makes of a memory that was there what a duplicate of it makes. All that its text gives stays: terms and vector. */
  #merge(row: Row, asked: Memory, now: number, afterCommit: (() => void)[]): CreateOutcome {
    const existing = this.#memoryOf(row);
    const stored = recordOf(existing);
    const { memory, differs } = mergeDuplicate(stored, asked, now);
    if (memory !== stored) {
      const number = Number(row["row"]);
      this.#database.run(
        "UPDATE memory SET record = ?, expire_time = ? WHERE row = ?",
        sealRecord(memory),
        memory.expireTime ?? null,
        number,
      );
      for (const tag of memory.tags.slice(stored.tags.length)) {
        this.#database.run("INSERT INTO memory_tag (row, tag) VALUES (?, ?)", number, tag);
      }
      const { vectors, waiting } = this.#options;
      const namespaceId = Number(row["namespace_id"]);
      afterCommit.push(() => {
        vectors.expireAt(namespaceId, number, memory.expireTime);
        // A vector that was under way is of the etag before.
        if (memory.embedding.state === "PENDING") waiting.announce();
      });
    }
    return { kind: "duplicate", memory: withAccess(memory, existing.access), differs };
  }

  /** Writes a memory that was not there: what was counted of its id before is not of it. */
  #insertNew(namespaceId: number, item: Replacement, sessionPosition: number, now: number) {
    this.#tally.forget(String(namespaceId), item.memory.id);
    return this.#insert(namespaceId, item, sessionPosition, now);
  }

  /** Writes all rows of a memory; `remember` is to be run when they are on disk. */
  #insert(
    namespaceId: number,
    item: Replacement,
    sessionPosition: number,
    now: number,
  ): { readonly memory: Memory; readonly remember: () => void } {
    const { memory, vector } = this.#ofThisModel(item, sessionPosition);
    const row = this.#database.run(
      `INSERT INTO memory (namespace_id, id, record, kind, state, user_id, agent_id, session_id,
         session_position, author, importance, pinned, create_time, event_time, expire_time, duplicate_key, term_count)
       VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
      namespaceId,
      memory.id,
      sealRecord(memory),
      memory.kind,
      memory.state,
      memory.userId,
      memory.agentId,
      memory.sessionId,
      memory.sessionPosition,
      memory.author,
      memory.importance,
      memory.pinned ? 1 : 0,
      memory.createTime,
      memory.eventTime ?? null,
      memory.expireTime ?? null,
      item.duplicateKey,
      item.terms.length,
    );
    for (const tag of memory.tags) {
      this.#database.run("INSERT INTO memory_tag (row, tag) VALUES (?, ?)", row, tag);
    }
    for (const token of new Set(metadataTokens(memory.metadata))) {
      this.#database.run("INSERT INTO memory_metadata (row, token) VALUES (?, ?)", row, token);
    }
    if (vector !== undefined) {
      this.#database.run("INSERT INTO memory_vector (row, vector) VALUES (?, ?)", row, sealVector(vector));
    } else {
      const refused = memory.embedding.state === "REFUSED";
      this.#options.waiting.add(row, { since: now, refused });
    }
    this.#keywords.add(namespaceId, row, item.terms);
    this.#count(namespaceId, 1, item.terms.length);
    return {
      memory,
      remember: () => {
        if (vector === undefined) this.#options.waiting.announce();
        else this.#options.vectors.hold(namespaceId, row, memory, vector);
      },
    };
  }

  /** What is written of a new state: a vector of another model stays outside, and the memory waits for its own. */
  #ofThisModel(
    item: Replacement,
    sessionPosition: number,
  ): { readonly memory: Memory; readonly vector: Float32Array | undefined } {
    const memory = { ...item.memory, sessionPosition };
    const { embedding } = memory;
    if (embedding.state !== "READY" || this.#options.model.takes(embedding)) {
      return { memory, vector: item.vector };
    }
    return { memory: { ...memory, embedding: { ...embedding, state: "PENDING" } }, vector: undefined };
  }

  #nextPosition(namespaceId: number, sessionId: string): number {
    if (sessionId === "") return 0;
    const row = this.#database.first(
      `INSERT INTO session (namespace_id, session_id, last_position) VALUES (?, ?, 1)
       ON CONFLICT DO UPDATE SET last_position = last_position + 1 RETURNING last_position`,
      namespaceId,
      sessionId,
    );
    return Number(row?.["last_position"]);
  }

  /** The position that an imported memory had, if no other that has not ended holds it; else the next one. */
  #importedPosition(namespaceId: number, { sessionId, sessionPosition }: Memory, now: number): number {
    if (sessionId === "") return 0;
    const isFree =
      sessionPosition > 0 &&
      this.#database.first(
        `SELECT 1 FROM memory WHERE namespace_id = ? AND session_id = ? AND session_position = ?
         AND (expire_time IS NULL OR expire_time > ?)`,
        namespaceId,
        sessionId,
        sessionPosition,
        now,
      ) === undefined;
    if (!isFree) return this.#nextPosition(namespaceId, sessionId);
    this.#database.run(
      `INSERT INTO session (namespace_id, session_id, last_position) VALUES (?, ?, ?)
       ON CONFLICT DO UPDATE SET last_position = max(last_position, excluded.last_position)`,
      namespaceId,
      sessionId,
      sessionPosition,
    );
    return sessionPosition;
  }

  /** Takes a memory for good: what was counted of it goes too. */
  #remove(row: Row): () => void {
    // At once: what is counted of its id from now on is of another memory.
    this.#tally.forget(String(row["namespace_id"]), String(row["id"]));
    return this.#removeRow(row);
  }

  /**
   * Takes a row and all that hangs on it. Tags, metadata and vector go by foreign key. Returns what is left to be
   * done when that is on disk.
   */
  #removeRow(row: Row): () => void {
    const number = Number(row["row"]);
    const namespaceId = Number(row["namespace_id"]);
    this.#keywords.remove(number);
    this.#database.run("DELETE FROM memory WHERE row = ?", number);
    this.#count(namespaceId, -1, -Number(row["term_count"]));
    return () => this.#options.vectors.remove(namespaceId, number);
  }

  #count(namespaceId: number, memories: number, terms: number): void {
    this.#database.run(
      `UPDATE namespace SET memory_count = memory_count + ?, term_count = term_count + ? WHERE namespace_id = ?`,
      memories,
      terms,
      namespaceId,
    );
  }

  #sweep(now: number): (() => void)[] {
    const expired = this.#database.all(
      "SELECT row, id, namespace_id, term_count FROM memory WHERE expire_time <= ? LIMIT ?",
      now,
      SWEEP_LIMIT,
    );
    return withinBytes(expired, termBytes, SWEEP_BYTES).map((row) => this.#remove(row));
  }

  #row(namespaceId: number, id: string): Row | undefined {
    return this.#database.first(
      `SELECT m.row, m.term_count, m.expire_time, ${STORED} FROM memory m ${WITH_ACCESS} WHERE m.namespace_id = ? AND m.id = ?`,
      namespaceId,
      id,
    );
  }

  /** A memory that is to be changed, or MEMORY_NOT_FOUND. */
  #current(
    scope: Scope,
    id: string,
    now: number,
  ): { readonly namespaceId: number; readonly row: Row; readonly current: StoredMemory } {
    const namespaceId = this.#namespaces.find(scope);
    const row = namespaceId === undefined ? undefined : this.#row(namespaceId, id);
    const current = row === undefined ? undefined : this.#memoryOf(row);
    if (namespaceId === undefined || row === undefined || current === undefined || isExpired(current, now)) {
      throw this.#missing(scope, id);
    }
    return { namespaceId, row, current };
  }

  /** With what was counted and is not on disk yet. */
  #memoryOf(row: Row): StoredMemory {
    const pending = this.#tally.pending(String(row["namespace_id"]), String(row["id"]));
    const stored = accessOf(row);
    const memory = this.#withModel(memoryOf(row));
    return withAccess(memory, pending === undefined ? stored : sum(stored, pending));
  }

  /** Every stored vector is of the one model, whatever was so when the record was written. */
  #withModel(memory: Memory): Memory {
    const { identity } = this.#options.model;
    if (identity === undefined || memory.embedding.state !== "READY") return memory;
    const { provider, model, dimension } = identity;
    return { ...memory, embedding: { ...memory.embedding, provider, model, dimension } };
  }

  /** A filter by access sees what is on disk; this puts there what was counted. */
  async #upToDate(filter: MemoryFilter): Promise<void> {
    if (filter.lastAccessTime !== undefined) await this.#accesses.flush();
  }

  /** The namespace to count in; undefined when it is not there, or nobody can say. */
  #accessedNamespace(scope: Scope): number | undefined {
    try {
      return this.#namespaces.find(scope);
    } catch (error) {
      this.#options.log.warn({ err: error }, "accesses to memories could not be counted");
      return undefined;
    }
  }

  #writeAccesses(batch: AccessBatch): void {
    for (const [namespaceId, ids] of batch) {
      for (const [id, access] of ids) this.#writeAccess(Number(namespaceId), id, access);
    }
  }

  /** Adds to the statistics of a memory, if it is there. */
  #writeAccess(namespaceId: number, id: string, { accessCount, lastAccessTime }: AccessStatistics): void {
    this.#database.run(
      `INSERT INTO memory_access (row, access_count, last_access_time)
         SELECT row, ?, ? FROM memory WHERE namespace_id = ? AND id = ?
       ON CONFLICT (row) DO UPDATE SET access_count = access_count + excluded.access_count,
         last_access_time = max(last_access_time, excluded.last_access_time)`,
      accessCount,
      lastAccessTime,
      namespaceId,
      id,
    );
  }

  #nearest(namespaceId: number, query: CandidateQuery, vector: Float32Array, now: number): Nearest {
    const index = this.#options.vectors.open(namespaceId);
    if (isDefaultFilter(query.filter)) return index.nearestDefault(vector, query.limit, now);
    const condition = memoryCondition(namespaceId, query.filter, now);
    const rows = this.#database.all(`SELECT m.row FROM memory m WHERE ${condition.sql}`, ...condition.values);
    return index.nearestOf(
      rows.map((row) => Number(row["row"])),
      vector,
      query.limit,
    );
  }

  #containing(
    namespaceId: number,
    query: CandidateQuery,
    now: number,
  ): Pick<Candidates, "containing" | "corpus"> & { readonly asked: readonly string[] } {
    const terms = query.terms ?? [];
    if (terms.length === 0) return { containing: [], corpus: EMPTY_CORPUS, asked: [] };
    const corpus = this.#keywords.corpus(namespaceId, terms);
    const asked = chooseTerms(terms, corpus);
    const count = countTerms(terms);
    const rows = asked.length === 0 ? [] : this.#keywords.candidates(namespaceId, asked, corpus, query, now);
    return {
      containing: rows.map((row) => ({
        ...factsOf(row),
        document: count(readTerms(namespaceId, String(row["terms"]))),
      })),
      corpus,
      asked,
    };
  }
}

const EMPTY_CORPUS: CorpusStatistics = { documentCount: 0, meanLength: 0, documentFrequencies: new Map() };

/** Whether a row is there and has not ended; without a look at its record, which may be damaged. */
function isHeld(row: Row | undefined, now: number): boolean {
  return row !== undefined && (row["expire_time"] === null || Number(row["expire_time"]) > now);
}

function memoryOf(row: Row): Memory {
  return openRecord<Memory>(row["record"], `memory ${String(row["id"])}`);
}

function accessOf(row: Row): AccessStatistics | undefined {
  const count = row["access_count"];
  if (count === null || count === undefined) return undefined;
  return { accessCount: Number(count), lastAccessTime: Number(row["last_access_time"]) };
}

/** What the rows of a step take, as the database bounds its transactions. */
function stepBytes(items: readonly (Pick<Replacement, "memory"> | RefusedMemory)[]): number {
  return items.reduce(
    (sum, item) => ("refusal" in item ? sum : sum + contentBytes(item.memory) + STEP_LIMITS.bytesAMemory),
    0,
  );
}

function runAll(changes: readonly (() => void)[]): void {
  for (const change of changes) change();
}
