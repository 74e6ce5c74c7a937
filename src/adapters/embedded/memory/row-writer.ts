import { metadataTokens } from "../../../domain/memory/filter.ts";
import { endedTime, type Memory } from "../../../domain/memory/memory.ts";
import { putTime } from "../../../domain/memory/revision.ts";
import { withinBytes } from "../../../domain/page-token.ts";
import type { Replacement } from "../../../ports/memory/writer.ts";
import { encodeRecord, encodeVector } from "../database/checksums.ts";
import type { Database, Row } from "../database/database.ts";
import type { PendingRows } from "../database/pending-rows.ts";
import type { KeywordIndex } from "../keywords/keyword-index.ts";
import { termBytes } from "../keywords/terms.ts";
import type { MemoryVectors } from "../vectors/memory-vectors.ts";
import type { VectorModel } from "../vectors/vector-model.ts";
import type { EmbeddedAccessCounts } from "./access-counts.ts";
import type { RecordedChanges } from "./changes.ts";
import type { RevisionRows } from "./revisions.ts";
import { accessOf } from "./rows.ts";

/** Each write removes a few expired memories, or one long one, so that no write has to remove all of them. */
const SWEEP_LIMIT = 32;
const SWEEP_BYTES = 4 * 1024;

export interface MemoryRowWriterParts {
  readonly database: Database;
  /** The model of the stored vectors. */
  readonly model: VectorModel;
  readonly vectors: MemoryVectors;
  readonly keywords: KeywordIndex;
  /** Rows of the memories that have no vector yet. */
  readonly pendingRows: PendingRows;
  readonly accessCounts: EmbeddedAccessCounts;
  readonly revisionRows: RevisionRows;
}

/** Call after the write that returned it is on disk. */
export type AfterCommit = () => void;

/** A memory as it was written. */
export interface WrittenMemory {
  readonly memory: Memory;
  readonly afterCommit: AfterCommit;
}

/**
 * Writes and removes memories with all their rows: tags, metadata, terms, vectors, counters. All methods only inside a
 * write.
 */
export class MemoryRowWriter {
  readonly #parts: MemoryRowWriterParts;
  readonly #database: Database;

  constructor(parts: MemoryRowWriterParts) {
    this.#parts = parts;
    this.#database = parts.database;
  }

  /** Writes a new memory, and discards the pending access counts of an earlier one with its id. */
  insertNew(namespaceId: number, item: Replacement, sessionPosition: number, now: number): WrittenMemory {
    this.#parts.accessCounts.discard(namespaceId, item.memory.id);
    return this.#insert(namespaceId, item, { sessionPosition, revision: 0, now });
  }

  /**
   * Replaces a memory (a row of MemoryRows.find), which becomes a revision. Its access statistics and session position stay.
   */
  replace(row: Row, item: Replacement, sessionPosition: number, now: number): WrittenMemory {
    const { accessCounts, revisionRows } = this.#parts;
    const namespaceId = Number(row["namespace_id"]);
    const revision = revisionRows.keep(row, item.memory.updateTime);
    const removed = this.#removeRow(row);
    const inserted = this.#insert(namespaceId, item, { sessionPosition, revision, now });
    const access = accessOf(row);
    if (access !== undefined) accessCounts.write(namespaceId, item.memory.id, access);
    return {
      memory: inserted.memory,
      afterCommit: () => {
        removed();
        inserted.afterCommit();
      },
    };
  }

  removeRevisions(namespaceId: number, id: string): void {
    this.#parts.revisionRows.remove(namespaceId, id);
  }

  /** Writes all rows of a memory, which keeps the pending access counts of its id. */
  #insert(
    namespaceId: number,
    item: Replacement,
    given: { readonly sessionPosition: number; readonly revision: number; readonly now: number },
  ): WrittenMemory {
    const { sessionPosition, revision, now } = given;
    const { keywords, pendingRows, vectors } = this.#parts;
    const { memory, vector } = this.#ofThisModel(item, sessionPosition);
    const row = this.#insertRow(namespaceId, memory, item, revision);
    if (vector !== undefined) {
      this.#database.run("INSERT INTO memory_vector (row, vector) VALUES (?, ?)", row, encodeVector(vector));
    } else {
      const refused = memory.embedding.state === "REFUSED";
      pendingRows.add(row, { since: now, refused });
    }
    keywords.add(namespaceId, row, item.terms);
    this.#count(namespaceId, 1, item.terms.length);
    return {
      memory,
      afterCommit: () => {
        if (vector === undefined) pendingRows.added.notify();
        else vectors.put(namespaceId, row, memory, vector);
        keywords.tables.put(namespaceId, row, memory, item.terms);
      },
    };
  }

  /**
   * Writes a new version of a memory (a row of MemoryRows.find), which becomes a revision, with the same text, and so the same
   * terms and vector, and with more tags.
   */
  update(
    row: Row,
    memory: Memory,
    addedTags: readonly string[],
    replaceTime = memory.updateTime,
  ): AfterCommit {
    const number = Number(row["row"]);
    const namespaceId = Number(row["namespace_id"]);
    this.#database.run(
      "UPDATE memory SET record = ?, state = ?, ended = ?, expire_time = ?, revision = ? WHERE row = ?",
      encodeRecord(memory),
      memory.state,
      endedTime(memory) ?? null,
      memory.expireTime ?? null,
      this.#parts.revisionRows.keep(row, replaceTime),
      number,
    );
    this.#insertTags(number, addedTags);
    const { keywords, vectors, pendingRows } = this.#parts;
    return () => {
      vectors.change(namespaceId, number, memory);
      keywords.tables.change(namespaceId, number, memory);
      // A vector that is being computed belongs to the previous etag.
      if (memory.embedding.state === "PENDING") pendingRows.added.notify();
    };
  }

  /** Writes a new record of a memory: see MemoryChanges.put. */
  put(row: Row, memory: Memory, now: number): AfterCommit {
    const number = Number(row["row"]);
    this.#database.run("UPDATE memory SET importance = ? WHERE row = ?", memory.importance, number);
    this.#database.run("DELETE FROM memory_tag WHERE row = ?", number);
    return this.update(row, memory, memory.tags, putTime(memory, now));
  }

  /** Deletes a memory with its access counts and its revisions. */
  remove(row: Row): AfterCommit {
    const namespaceId = Number(row["namespace_id"]);
    const id = String(row["id"]);
    // At once: later counts of this id belong to another memory.
    this.#parts.accessCounts.discard(namespaceId, id);
    this.#parts.revisionRows.remove(namespaceId, id);
    return this.#removeRow(row);
  }

  /** Deletes a row, its terms and its counters. Tags, metadata and vector are deleted by foreign key. */
  #removeRow(row: Row): AfterCommit {
    const { keywords, vectors } = this.#parts;
    const number = Number(row["row"]);
    const namespaceId = Number(row["namespace_id"]);
    keywords.remove(number);
    this.#database.run("DELETE FROM memory WHERE row = ?", number);
    this.#count(namespaceId, -1, -Number(row["term_count"]));
    return () => {
      vectors.remove(namespaceId, number);
      keywords.tables.remove(namespaceId, number);
    };
  }

  /** Removes some memories that have expired, of any namespaces. */
  sweep(now: number, changes: RecordedChanges): AfterCommit[] {
    const expired = this.#database.all(
      "SELECT row, id, namespace_id, term_count FROM memory WHERE expire_time <= ? LIMIT ?",
      now,
      SWEEP_LIMIT,
    );
    return withinBytes(expired, termBytes, SWEEP_BYTES).map((row) => {
      changes.add(Number(row["namespace_id"]), "EXPIRED", String(row["id"]));
      return this.remove(row);
    });
  }

  #insertRow(
    namespaceId: number,
    memory: Memory,
    { duplicateKey, textKey, terms }: Replacement,
    revision: number,
  ): number {
    const row = this.#database.run(
      `INSERT INTO memory (namespace_id, id, record, kind, state, user_id, agent_id, session_id,
         session_position, author, importance, pinned, create_time, event_time, expire_time, ended, valid_from,
         valid_until, duplicate_key, text_key, term_count, revision)
       VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
      namespaceId,
      memory.id,
      encodeRecord(memory),
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
      endedTime(memory) ?? null,
      memory.validFrom ?? null,
      memory.validUntil ?? null,
      duplicateKey,
      textKey,
      terms.length,
      revision,
    );
    this.#insertTags(row, memory.tags);
    for (const token of new Set(metadataTokens(memory.metadata))) {
      this.#database.run("INSERT INTO memory_metadata (row, token) VALUES (?, ?)", row, token);
    }
    return row;
  }

  #insertTags(row: number, tags: readonly string[]): void {
    for (const tag of tags) this.#database.run("INSERT INTO memory_tag (row, tag) VALUES (?, ?)", row, tag);
  }

  /** The state to store: without a vector of another model, in which case the memory is pending. */
  #ofThisModel(
    item: Replacement,
    sessionPosition: number,
  ): { readonly memory: Memory; readonly vector: Float32Array | undefined } {
    const memory = { ...item.memory, sessionPosition };
    const { embedding } = memory;
    if (embedding.state !== "READY" || this.#parts.model.takes(embedding)) {
      return { memory, vector: item.vector };
    }
    return { memory: { ...memory, embedding: { ...embedding, state: "PENDING" } }, vector: undefined };
  }

  #count(namespaceId: number, memories: number, terms: number): void {
    this.#database.run(
      `UPDATE namespace SET memory_count = memory_count + ?, term_count = term_count + ? WHERE namespace_id = ?`,
      memories,
      terms,
      namespaceId,
    );
  }
}
