import type { DatabaseSync } from "node:sqlite";
import { RecollectError } from "../../../domain/errors.ts";
import { SCHEMA } from "./schema.ts";

/** The additions of format 2. A released step is never changed; later additions are steps of their own. */
const FORMAT_2 = `
-- Apart from the memory, because each read changes it: neither its record nor its indexes are written again.
CREATE TABLE memory_access (
  row INTEGER PRIMARY KEY REFERENCES memory ON DELETE CASCADE,
  access_count INTEGER NOT NULL,
  last_access_time INTEGER NOT NULL
) STRICT;

-- Beside the record, because an import asks who holds a position. Eight characters of checksum come before the JSON;
-- a damaged record is left to those who read it.
ALTER TABLE memory ADD COLUMN session_position INTEGER NOT NULL DEFAULT 0;
UPDATE memory SET session_position = json_extract(substr(record, 9), '$.sessionPosition')
  WHERE json_valid(substr(record, 9)) AND session_id <> '';
DROP INDEX memory_by_session;
CREATE INDEX memory_by_session ON memory (namespace_id, session_id, session_position);

-- Row numbers rise with each write, so that the lowest were written longest ago.
CREATE TABLE embedding_cache (
  row INTEGER PRIMARY KEY AUTOINCREMENT,
  key BLOB NOT NULL UNIQUE,
  expire_time INTEGER NOT NULL,
  truncated INTEGER NOT NULL,
  vector BLOB NOT NULL
) STRICT;
CREATE INDEX embedding_cache_by_expiry ON embedding_cache (expire_time);

-- Which model made the entry's vector, as a count of changes of the model; one of another is not read. Not beside the
-- vector, where the answer would have to be read to come to it.
ALTER TABLE cache_entry_use ADD COLUMN generation INTEGER NOT NULL DEFAULT 1;

-- Memories without a vector, from the write that stored them so until they get one.
CREATE TABLE memory_waiting (
  row INTEGER PRIMARY KEY REFERENCES memory ON DELETE CASCADE,
  since INTEGER NOT NULL,
  due_time INTEGER NOT NULL,
  attempts INTEGER NOT NULL,
  refused INTEGER NOT NULL
) STRICT;
CREATE INDEX memory_waiting_by_due ON memory_waiting (due_time, row);
CREATE INDEX memory_waiting_by_age ON memory_waiting (refused, since);
INSERT INTO memory_waiting (row, since, due_time, attempts, refused)
  SELECT row, create_time, create_time, 0, 0 FROM memory m
  WHERE NOT EXISTS (SELECT 1 FROM memory_vector v WHERE v.row = m.row);
`;

/** The additions of format 3. */
const FORMAT_3 = `
CREATE TABLE cache_policy (
  namespace_id INTEGER PRIMARY KEY REFERENCES namespace ON DELETE CASCADE,
  record TEXT NOT NULL
) STRICT;
`;

/** The additions of format 4: eviction policies. */
const FORMAT_4 = `
-- What eviction.ts scores by. Until now every entry was scored by its last use. Without a cost: see DEFAULT_COST.
ALTER TABLE cache_entry_use ADD COLUMN score_order TEXT NOT NULL DEFAULT 'lru';
ALTER TABLE cache_entry_use ADD COLUMN uses REAL NOT NULL DEFAULT 1;
ALTER TABLE cache_entry_use ADD COLUMN last_use_time INTEGER NOT NULL DEFAULT 0;
ALTER TABLE cache_entry_use ADD COLUMN cost REAL;
UPDATE cache_entry_use SET last_use_time = CAST(keep_score AS INTEGER);
DROP INDEX cache_entry_use_by_score;
CREATE INDEX cache_entry_use_by_score ON cache_entry_use (namespace_id, score_order, keep_score, last_use_time);

-- Uses of ids that are not stored: refused, evicted or expired. The lowest rows were remembered longest ago.
CREATE TABLE cache_remembered (
  row INTEGER PRIMARY KEY AUTOINCREMENT,
  namespace_id INTEGER NOT NULL REFERENCES namespace ON DELETE CASCADE,
  id TEXT NOT NULL,
  uses REAL NOT NULL,
  UNIQUE (namespace_id, id)
) STRICT;
CREATE INDEX cache_remembered_by_row ON cache_remembered (namespace_id, row);

-- The order is that of the last put. byte_count is of rows, as entry_count is.
ALTER TABLE cache_counter ADD COLUMN score_order TEXT NOT NULL DEFAULT 'lru';
ALTER TABLE cache_counter ADD COLUMN clock REAL NOT NULL DEFAULT 0;
ALTER TABLE cache_counter ADD COLUMN byte_count INTEGER NOT NULL DEFAULT 0;
ALTER TABLE cache_counter ADD COLUMN remembered_count INTEGER NOT NULL DEFAULT 0;
UPDATE cache_counter SET byte_count =
  (SELECT coalesce(sum(bytes), 0) FROM cache_entry e WHERE e.namespace_id = cache_counter.namespace_id);
DROP TRIGGER cache_entry_added;
CREATE TRIGGER cache_entry_added AFTER INSERT ON cache_entry BEGIN
  INSERT INTO cache_counter (namespace_id, entry_count, byte_count) VALUES (NEW.namespace_id, 1, NEW.bytes)
    ON CONFLICT (namespace_id) DO UPDATE SET entry_count = entry_count + 1, byte_count = byte_count + NEW.bytes;
END;
CREATE TRIGGER cache_entry_resized AFTER UPDATE OF bytes ON cache_entry BEGIN
  UPDATE cache_counter SET byte_count = byte_count + NEW.bytes - OLD.bytes WHERE namespace_id = NEW.namespace_id;
END;
DROP TRIGGER cache_entry_removed;
CREATE TRIGGER cache_entry_removed AFTER DELETE ON cache_entry BEGIN
  UPDATE cache_counter SET entry_count = entry_count - 1, byte_count = byte_count - OLD.bytes
    WHERE namespace_id = OLD.namespace_id;
END;
CREATE TRIGGER cache_remembered_added AFTER INSERT ON cache_remembered BEGIN
  UPDATE cache_counter SET remembered_count = remembered_count + 1 WHERE namespace_id = NEW.namespace_id;
END;
CREATE TRIGGER cache_remembered_removed AFTER DELETE ON cache_remembered BEGIN
  UPDATE cache_counter SET remembered_count = remembered_count - 1 WHERE namespace_id = OLD.namespace_id;
END;
`;

/** The additions of format 5: invalidations of the cache, see cache-invalidations.ts. */
const FORMAT_5 = `
-- An empty model, knowledge or tag: any.
CREATE TABLE cache_invalidation (
  namespace_id INTEGER NOT NULL REFERENCES namespace ON DELETE CASCADE,
  tag TEXT NOT NULL,
  model TEXT NOT NULL,
  knowledge TEXT NOT NULL,
  generation INTEGER NOT NULL,
  PRIMARY KEY (namespace_id, tag, model, knowledge)
) WITHOUT ROWID, STRICT;

-- last: of the last invalidation. swept: all entries that the invalidations up to this one match have been deleted.
CREATE TABLE cache_generation (
  namespace_id INTEGER PRIMARY KEY REFERENCES namespace ON DELETE CASCADE,
  last INTEGER NOT NULL,
  swept INTEGER NOT NULL
) STRICT;

-- Apart from the entry, so that its answer is not read to find out whether it is invalidated. generation: when the entry was
-- put. knowledge: NULL where it is not known, because the entry was put by an older program.
CREATE TABLE cache_entry_stamp (
  row INTEGER PRIMARY KEY REFERENCES cache_entry ON DELETE CASCADE,
  namespace_id INTEGER NOT NULL,
  generation INTEGER NOT NULL,
  model TEXT NOT NULL,
  knowledge TEXT
) STRICT;
CREATE INDEX cache_entry_stamp_by_namespace ON cache_entry_stamp (namespace_id, row);
-- Counters by name, beside those of cache_counter: see statistics.ts.
CREATE TABLE cache_detail (
  namespace_id INTEGER NOT NULL REFERENCES namespace ON DELETE CASCADE,
  name TEXT NOT NULL,
  value REAL NOT NULL,
  PRIMARY KEY (namespace_id, name)
) WITHOUT ROWID, STRICT;
INSERT INTO cache_entry_stamp (row, namespace_id, generation, model)
  SELECT row, namespace_id, 0, model FROM cache_entry;
`;

/** The additions of format 6: the history of memories, and compactions. */
const FORMAT_6 = `
-- Else FTS5 keeps the words of a deleted memory, with their order, until it merges its segments.
INSERT INTO memory_terms (memory_terms, rank) VALUES ('secure-delete', 1);

-- The change feed: see domain/memory/changes.ts. The row with sequence 0 is its beginning.
CREATE TABLE memory_change (
  namespace_id INTEGER NOT NULL REFERENCES namespace ON DELETE CASCADE,
  sequence INTEGER NOT NULL,
  time INTEGER NOT NULL,
  kind TEXT NOT NULL,
  memory_id TEXT NOT NULL,
  PRIMARY KEY (namespace_id, sequence)
) WITHOUT ROWID, STRICT;

-- What as_of filters by, beside the create time. ended: the update time of a memory that is not ACTIVE. As in format 2, a damaged
-- record is left to those who read it.
ALTER TABLE memory ADD COLUMN ended INTEGER;
ALTER TABLE memory ADD COLUMN valid_from INTEGER;
ALTER TABLE memory ADD COLUMN valid_until INTEGER;
UPDATE memory SET
  ended = CASE state WHEN 'ACTIVE' THEN NULL ELSE json_extract(substr(record, 9), '$.updateTime') END,
  valid_from = json_extract(substr(record, 9), '$.validFrom'),
  valid_until = json_extract(substr(record, 9), '$.validUntil')
  WHERE json_valid(substr(record, 9));

-- The number of the last revision of a memory; 0: none. It stays when revisions are removed because there are too many.
ALTER TABLE memory ADD COLUMN revision INTEGER NOT NULL DEFAULT 0;

-- What memories were before their changes. By id, because a replaced memory gets a new row.
CREATE TABLE memory_revision (
  namespace_id INTEGER NOT NULL REFERENCES namespace ON DELETE CASCADE,
  id TEXT NOT NULL,
  number INTEGER NOT NULL,
  replace_time INTEGER NOT NULL,
  record TEXT NOT NULL,
  UNIQUE (namespace_id, id, number)
) STRICT;

-- See textKey; empty for memories of earlier formats, which are found by it once they are updated. The index contains what
-- may be recalled.
ALTER TABLE memory ADD COLUMN text_key TEXT NOT NULL DEFAULT '';
CREATE INDEX memory_by_text ON memory (namespace_id, text_key, create_time, id)
  WHERE state = 'ACTIVE' AND text_key <> '';

-- Compactions. user_id: NULL for every user. under_way: whether a process works on it, or one has to continue it. due_time, end_time:
-- see dueTimeOf and endTimeOf. free_time: from when any process may continue it; NULL when it has ended.
CREATE TABLE compaction_run (
  row INTEGER PRIMARY KEY AUTOINCREMENT,
  namespace_id INTEGER NOT NULL REFERENCES namespace ON DELETE CASCADE,
  id TEXT NOT NULL,
  user_id TEXT,
  create_time INTEGER NOT NULL,
  end_time INTEGER,
  due_time INTEGER,
  free_time INTEGER,
  under_way INTEGER NOT NULL,
  version INTEGER NOT NULL,
  owner TEXT NOT NULL DEFAULT '',
  fence INTEGER NOT NULL DEFAULT 0,
  lease_until INTEGER NOT NULL DEFAULT 0,
  record TEXT NOT NULL,
  UNIQUE (namespace_id, id)
) STRICT;
CREATE INDEX compaction_run_by_time ON compaction_run (namespace_id, create_time DESC, id DESC);
CREATE INDEX compaction_run_by_end ON compaction_run (end_time, id) WHERE end_time IS NOT NULL;
CREATE INDEX compaction_run_by_free_time ON compaction_run (free_time) WHERE free_time IS NOT NULL;
CREATE INDEX compaction_run_unfinished ON compaction_run (namespace_id, user_id) WHERE free_time IS NOT NULL;

-- run: the row of compaction_run. Deleted with it in the same write.
CREATE TABLE compaction_group (
  row INTEGER PRIMARY KEY,
  namespace_id INTEGER NOT NULL REFERENCES namespace ON DELETE CASCADE,
  run INTEGER NOT NULL,
  number INTEGER NOT NULL,
  record TEXT NOT NULL,
  UNIQUE (namespace_id, run, number)
) STRICT;

CREATE TABLE compaction_policy (
  namespace_id INTEGER PRIMARY KEY REFERENCES namespace ON DELETE CASCADE,
  record TEXT NOT NULL
) STRICT;

-- Users whose memories calls have changed since their last compaction: the first time and how often.
CREATE TABLE changed_scope (
  row INTEGER PRIMARY KEY,
  namespace_id INTEGER NOT NULL REFERENCES namespace ON DELETE CASCADE,
  user_id TEXT NOT NULL,
  since INTEGER NOT NULL,
  changes INTEGER NOT NULL,
  UNIQUE (namespace_id, user_id)
) STRICT;
CREATE INDEX changed_scope_by_time ON changed_scope (since);
CREATE INDEX changed_scope_by_changes ON changed_scope (changes);
`;

interface Migration {
  readonly from: number;
  readonly to: number;
  readonly sql: string;
}

/** In order, starting from an empty file. */
export const MIGRATIONS: readonly Migration[] = [
  { from: 0, to: 1, sql: SCHEMA },
  { from: 1, to: 2, sql: FORMAT_2 },
  { from: 2, to: 3, sql: FORMAT_3 },
  { from: 3, to: 4, sql: FORMAT_4 },
  { from: 4, to: 5, sql: FORMAT_5 },
  { from: 5, to: 6, sql: FORMAT_6 },
];

/** The format of this program, stored as SQLite's user_version. */
export const FORMAT = 6;

/**
 * Migrates a file, each step in its own transaction: after a crash the next start continues with the next step. Returns
 * the format that the file had, 0 for a new file. Throws STORE_UNAVAILABLE for a file of a newer program.
 */
export function migrate(sqlite: DatabaseSync): number {
  const found = Number(sqlite.prepare("PRAGMA user_version").get()?.["user_version"] ?? 0);
  if (found > FORMAT) {
    throw new RecollectError(
      "STORE_UNAVAILABLE",
      `the data was written by a newer version of Recollect (format ${found}; this one reads up to ${FORMAT})`,
      { metadata: { backend: "embedded" } },
    );
  }
  for (const { to, sql } of MIGRATIONS.filter(({ from }) => from >= found)) {
    sqlite.exec(`BEGIN IMMEDIATE; ${sql} PRAGMA user_version = ${to}; COMMIT`);
  }
  return found;
}
