import type { Reembedding } from "../../../ports/embedding/reembedding-store.ts";
import type { Database } from "../database/database.ts";

const KEY = "reembedding";

/** The record of the latest re-embedding, with the request that started it; the remaining memories are counted. */
export interface ReembeddingRecord extends Omit<Reembedding, "remainingCount"> {
  readonly request?: { readonly key: string; readonly bodyHash: string };
}

export function readRecord(database: Database): ReembeddingRecord | undefined {
  const row = database.first("SELECT value FROM meta WHERE key = ?", KEY);
  return row === undefined
    ? undefined
    : (JSON.parse(Buffer.from(row["value"] as Uint8Array).toString()) as ReembeddingRecord);
}

/** Only inside a write. */
export function writeRecord(database: Database, record: ReembeddingRecord): void {
  database.run(
    "INSERT OR REPLACE INTO meta (key, value) VALUES (?, ?)",
    KEY,
    Buffer.from(JSON.stringify(record)),
  );
}
