import type { FeedLimits } from "../../../domain/memory/changes.ts";
import type { Log } from "../../../ports/log.ts";
import type { Memories } from "../../../ports/memory/memories.ts";
import type { ChangedScopes } from "../database/changed-scopes.ts";
import type { Damage } from "../database/damage.ts";
import type { Database } from "../database/database.ts";
import type { PendingRows } from "../database/pending-rows.ts";
import type { KeywordIndex } from "../keywords/keyword-index.ts";
import type { IdempotencyRecords } from "../namespaces/idempotency.ts";
import type { NamespaceIds } from "../namespaces/namespace-ids.ts";
import type { MemoryVectors } from "../vectors/memory-vectors.ts";
import type { VectorModel } from "../vectors/vector-model.ts";
import { EmbeddedAccessCounts } from "./access-counts.ts";
import { MemoryChangeWriter } from "./change-writer.ts";
import { EmbeddedChangeFeed } from "./changes.ts";
import { EmbeddedMemoryPurge } from "./purge.ts";
import { EmbeddedMemoryReader } from "./reader.ts";
import { EmbeddedMemoryRevisions, RevisionRows } from "./revisions.ts";
import { MemoryRowWriter } from "./row-writer.ts";
import { MemoryRows } from "./rows.ts";
import { EmbeddedCandidateSearch } from "./search.ts";
import { SessionPositions } from "./session-positions.ts";
import { EmbeddedMemoryWriter } from "./writer.ts";

export interface EmbeddedMemoriesOptions {
  readonly database: Database;
  readonly namespaces: NamespaceIds;
  readonly idempotencyRecords: IdempotencyRecords;
  /** The model of the stored vectors. */
  readonly model: VectorModel;
  readonly vectors: MemoryVectors;
  readonly keywords: KeywordIndex;
  readonly damage: Damage;
  /** Rows of the memories that have no vector yet. */
  readonly pendingRows: PendingRows;
  readonly changedScopes: ChangedScopes;
  /** How much of each change feed is kept. */
  readonly feedLimits: FeedLimits;
  /** How many revisions of a memory are kept. */
  readonly maxRevisions: number;
  readonly log: Log;
}

export interface EmbeddedMemories extends Memories, Disposable {
  /** What a compaction changes. */
  readonly changeWriter: MemoryChangeWriter;
  readonly changes: EmbeddedChangeFeed;
}

/**
 * Memories in SQLite, with keyword tables and vector indexes in memory. Disposing of them queues a last
 * write in the database, which its owner closes.
 */
export function openMemories(options: EmbeddedMemoriesOptions): EmbeddedMemories {
  const { database, namespaces, log } = options;
  const accessCounts = new EmbeddedAccessCounts(database, namespaces, log);
  const rows = new MemoryRows(database, namespaces, { ...options, accessCounts });
  const revisionRows = new RevisionRows(database, options.maxRevisions);
  const rowWriter = new MemoryRowWriter({ ...options, accessCounts, revisionRows });
  const positions = new SessionPositions(database);
  const changes = new EmbeddedChangeFeed(database, namespaces, options.feedLimits);
  const parts = { ...options, accessCounts, rows, rowWriter, positions, changes };
  const reader = new EmbeddedMemoryReader(parts);
  const writer = new EmbeddedMemoryWriter(parts);
  return {
    reader,
    writer,
    purge: new EmbeddedMemoryPurge(parts),
    search: new EmbeddedCandidateSearch(parts),
    accessCounts,
    exporter: reader,
    importer: writer,
    changeWriter: new MemoryChangeWriter(parts),
    changes,
    revisions: new EmbeddedMemoryRevisions(parts),
    [Symbol.dispose]: () => accessCounts[Symbol.dispose](),
  };
}
