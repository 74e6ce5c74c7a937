/**
 * The table of kept embeddings, statement by statement. Nothing hangs on it: it may be missing, as in files that are
 * older than it, and is then made. Row numbers rise with each write, so that the lowest were written longest ago.
 */
export const EMBEDDING_CACHE_TABLE: readonly string[] = [
  `CREATE TABLE IF NOT EXISTS embedding_cache (
  row INTEGER PRIMARY KEY AUTOINCREMENT,
  key BLOB NOT NULL UNIQUE,
  expire_time INTEGER NOT NULL,
  truncated INTEGER NOT NULL,
  vector BLOB NOT NULL
) STRICT`,
  "CREATE INDEX IF NOT EXISTS embedding_cache_by_expiry ON embedding_cache (expire_time)",
];
