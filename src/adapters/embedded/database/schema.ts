/**
 * The tables of the embedded store in format 1. Never changed: later changes are in migrations.ts, and a new file runs
 * the same steps as an old one.
 *
 * A memory is one row of `memory`, whose `record` is its complete JSON; the other columns serve filters and orders.
 * Its tags, metadata tokens, vector and terms reference its row number and are deleted with it.
 */
export const SCHEMA = `
CREATE TABLE meta (
  key TEXT PRIMARY KEY,
  value BLOB NOT NULL
) WITHOUT ROWID, STRICT;

CREATE TABLE namespace (
  namespace_id INTEGER PRIMARY KEY AUTOINCREMENT,
  tenant TEXT NOT NULL,
  name TEXT NOT NULL,
  memory_count INTEGER NOT NULL DEFAULT 0,
  term_count INTEGER NOT NULL DEFAULT 0,
  UNIQUE (tenant, name)
) STRICT;

CREATE TABLE memory (
  -- Never taken twice, so that what still names a row that is gone can only miss.
  row INTEGER PRIMARY KEY AUTOINCREMENT,
  namespace_id INTEGER NOT NULL REFERENCES namespace,
  id TEXT NOT NULL,
  record TEXT NOT NULL,
  kind TEXT NOT NULL,
  state TEXT NOT NULL,
  user_id TEXT NOT NULL,
  agent_id TEXT NOT NULL,
  session_id TEXT NOT NULL,
  author TEXT NOT NULL,
  importance REAL NOT NULL,
  pinned INTEGER NOT NULL,
  create_time INTEGER NOT NULL,
  event_time INTEGER,
  expire_time INTEGER,
  duplicate_key TEXT NOT NULL,
  term_count INTEGER NOT NULL,
  UNIQUE (namespace_id, id)
) STRICT;
CREATE INDEX memory_by_time ON memory (namespace_id, create_time DESC, id DESC);
CREATE INDEX memory_by_duplicate ON memory (namespace_id, duplicate_key, create_time);
CREATE INDEX memory_by_user ON memory (namespace_id, user_id);
CREATE INDEX memory_by_session ON memory (namespace_id, session_id);
CREATE INDEX memory_by_expiry ON memory (expire_time) WHERE expire_time IS NOT NULL;

CREATE TABLE memory_tag (
  row INTEGER NOT NULL REFERENCES memory ON DELETE CASCADE,
  tag TEXT NOT NULL,
  PRIMARY KEY (row, tag)
) WITHOUT ROWID, STRICT;

CREATE TABLE memory_metadata (
  row INTEGER NOT NULL REFERENCES memory ON DELETE CASCADE,
  token TEXT NOT NULL,
  PRIMARY KEY (row, token)
) WITHOUT ROWID, STRICT;

CREATE TABLE memory_vector (
  row INTEGER PRIMARY KEY REFERENCES memory ON DELETE CASCADE,
  vector BLOB NOT NULL
) STRICT;

-- Terms come analysed and joined by spaces, each with its namespace in front (see memory-terms.ts): the list of
-- documents of a term is then that of one namespace alone. The tokenizer only has to split; it keeps all that is
-- not ASCII.
CREATE VIRTUAL TABLE memory_terms USING fts5 (terms, tokenize = 'ascii');

CREATE TABLE session (
  namespace_id INTEGER NOT NULL REFERENCES namespace,
  session_id TEXT NOT NULL,
  last_position INTEGER NOT NULL,
  PRIMARY KEY (namespace_id, session_id)
) WITHOUT ROWID, STRICT;

CREATE TABLE request (
  namespace_id INTEGER NOT NULL REFERENCES namespace,
  key TEXT NOT NULL,
  body_hash TEXT NOT NULL,
  outcome TEXT NOT NULL,
  expire_time INTEGER NOT NULL,
  PRIMARY KEY (namespace_id, key)
) WITHOUT ROWID, STRICT;
CREATE INDEX request_by_expiry ON request (expire_time);

-- The large columns come last: what stands before them is read without them.
CREATE TABLE cache_entry (
  -- Never taken twice, as for memories.
  row INTEGER PRIMARY KEY AUTOINCREMENT,
  namespace_id INTEGER NOT NULL REFERENCES namespace,
  id TEXT NOT NULL,
  fingerprint TEXT NOT NULL,
  model TEXT NOT NULL,
  create_time INTEGER NOT NULL,
  expire_time INTEGER NOT NULL,
  bytes INTEGER NOT NULL,
  vector BLOB,
  record TEXT NOT NULL,
  UNIQUE (namespace_id, id)
) STRICT;
CREATE INDEX cache_entry_by_fingerprint ON cache_entry (namespace_id, fingerprint);
CREATE INDEX cache_entry_by_time ON cache_entry (namespace_id, create_time DESC, id DESC);
CREATE INDEX cache_entry_by_end ON cache_entry (namespace_id, expire_time, bytes);
CREATE INDEX cache_entry_by_expiry ON cache_entry (expire_time);

CREATE TABLE cache_entry_tag (
  row INTEGER NOT NULL REFERENCES cache_entry ON DELETE CASCADE,
  tag TEXT NOT NULL,
  PRIMARY KEY (row, tag)
) WITHOUT ROWID, STRICT;

-- Apart from the entry, because each use changes it: the answer, which may take a megabyte, is not written again.
-- When a namespace is full, the lowest keep_score goes first (see keepScore).
CREATE TABLE cache_entry_use (
  row INTEGER PRIMARY KEY REFERENCES cache_entry ON DELETE CASCADE,
  namespace_id INTEGER NOT NULL,
  keep_score REAL NOT NULL
) STRICT;
CREATE INDEX cache_entry_use_by_score ON cache_entry_use (namespace_id, keep_score);

CREATE TABLE cache_counter (
  namespace_id INTEGER PRIMARY KEY REFERENCES namespace ON DELETE CASCADE,
  entry_count INTEGER NOT NULL DEFAULT 0,
  exact_hits INTEGER NOT NULL DEFAULT 0,
  semantic_hits INTEGER NOT NULL DEFAULT 0,
  misses INTEGER NOT NULL DEFAULT 0,
  stores INTEGER NOT NULL DEFAULT 0,
  evictions INTEGER NOT NULL DEFAULT 0
) STRICT;

-- entry_count is of rows, expired ones too, whoever writes or deletes them: the bound needs it at each write, and
-- counting 10,000 rows there would cost more than the write.
CREATE TRIGGER cache_entry_added AFTER INSERT ON cache_entry BEGIN
  INSERT INTO cache_counter (namespace_id, entry_count) VALUES (NEW.namespace_id, 1)
    ON CONFLICT (namespace_id) DO UPDATE SET entry_count = entry_count + 1;
END;
CREATE TRIGGER cache_entry_removed AFTER DELETE ON cache_entry BEGIN
  UPDATE cache_counter SET entry_count = entry_count - 1 WHERE namespace_id = OLD.namespace_id;
END;
`;
