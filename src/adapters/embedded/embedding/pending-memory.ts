import { RecollectError } from "../../../domain/errors.ts";
import { indexedText, isExpired, type Memory } from "../../../domain/memory/memory.ts";
import type { PendingMemory } from "../../../ports/embedding/queue.ts";
import type { Log } from "../../../ports/log.ts";
import { decodeRecord, encodeRecord } from "../database/checksums.ts";
import type { Database, Row } from "../database/database.ts";

/** Reads a pending memory; undefined when it has expired, was deleted or cannot be read. */
export function readPending(
  { database, log }: { readonly database: Database; readonly log: Log },
  row: number,
  options: { readonly attempts: number; readonly now: number },
): { readonly memory: PendingMemory; readonly bytes: number } | undefined {
  try {
    const found = database.first(
      `SELECT n.tenant, n.name, m.id, m.record, octet_length(m.record) AS bytes
       FROM memory m JOIN namespace n ON n.namespace_id = m.namespace_id WHERE m.row = ?`,
      row,
    );
    if (found === undefined) return undefined;
    const memory = recordOf(found);
    if (isExpired(memory, options.now)) return undefined;
    return {
      memory: {
        scope: { tenant: String(found["tenant"]), namespace: String(found["name"]) },
        id: memory.id,
        etag: memory.etag,
        text: indexedText(memory),
        attempts: options.attempts,
      },
      bytes: Number(found["bytes"]),
    };
  } catch (error) {
    if (!isDamage(error)) throw error;
    log.warn({ err: error }, "a memory that is to be embedded is damaged; it gets no vector");
    return undefined;
  }
}

export function recordOf(row: Row): Memory {
  return decodeRecord<Memory>(row["record"], `memory ${String(row["id"])}`);
}

export function isDamage(error: unknown): boolean {
  return error instanceof RecollectError && error.reason === "STORE_CORRUPT";
}

/** Writes the embedding of a memory into its record. Only inside a write. */
export function writeEmbedding(
  database: Database,
  row: number,
  memory: Memory,
  embedding: Memory["embedding"],
): Memory {
  const changed: Memory = { ...memory, embedding };
  database.run("UPDATE memory SET record = ? WHERE row = ?", encodeRecord(changed), row);
  return changed;
}
