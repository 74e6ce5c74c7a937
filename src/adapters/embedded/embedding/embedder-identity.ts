import {
  type ConfiguredModel,
  isExplained,
  isKept,
  keptInstead,
  otherModel,
  usedInstead,
} from "../../../domain/embedding/configured-model.ts";
import { sameModel } from "../../../domain/embedding/identity.ts";
import { RecollectError } from "../../../domain/errors.ts";
import type { EmbedderIdentity } from "../../../ports/embedding/embedder.ts";
import type { Log } from "../../../ports/log.ts";
import type { Database } from "../database/database.ts";
import { VectorModel } from "../vectors/vector-model.ts";
import { readRecord } from "./reembedding-record.ts";

const KEY = "embedder";
const ACCEPTED_KEY = "embedder_configured";
const GENERATION_KEY = "vector_generation";

/**
 * Claims the file for the model of its vectors: the configured one, if it has none. Rejects another model, because
 * vectors of two models are never compared; except when re-embeddings have changed the model since it was configured.
 * Then the model of the file is used, and the log names the settings to change: an unplanned restart during or after a
 * change must not be an outage. Vectors of `hashing` stay in use where no model is configured. Without an embedder
 * nothing is checked, because no vector is read or written.
 */
export async function claimEmbedder(
  database: Database,
  configured: ConfiguredModel | undefined,
  log: Log,
): Promise<VectorModel> {
  const generation = Number(readMeta(database, GENERATION_KEY)?.toString() ?? 1);
  if (configured === undefined) return new VectorModel(undefined, generation);
  const { provider, model, dimension } = configured;
  const ours: EmbedderIdentity = { provider, model, dimension };
  const stored = await database.write(() => {
    database.run(
      "INSERT OR IGNORE INTO meta (key, value) VALUES (?, ?)",
      KEY,
      Buffer.from(JSON.stringify(ours)),
    );
    return { result: JSON.parse(String(readMeta(database, KEY))) as EmbedderIdentity };
  });
  const isOther = !sameModel(ours, stored);
  const isUnexplained = isOther && !isChanged(database, ours, stored);
  if (isUnexplained && !isKept({ configured, stored })) throw refusal(ours, stored);
  if (isOther) {
    log.warn({ configured: ours, stored }, isUnexplained ? keptInstead(stored) : usedInstead(stored));
  }
  // A default is no choice: it explains nothing at the next start.
  const accepted = JSON.stringify(isUnexplained ? stored : ours);
  if (readMeta(database, ACCEPTED_KEY)?.toString() !== accepted) {
    await database.write(() => {
      writeMeta(database, ACCEPTED_KEY, accepted);
      return { result: undefined };
    });
  }
  return new VectorModel(stored, generation);
}

/** Whether re-embeddings explain that the stored model differs from the configured one. */
function isChanged(database: Database, configured: EmbedderIdentity, stored: EmbedderIdentity): boolean {
  const accepted = readMeta(database, ACCEPTED_KEY);
  const before = accepted === undefined ? undefined : (JSON.parse(String(accepted)) as EmbedderIdentity);
  return isExplained({ configured, stored, before, latest: readRecord(database) });
}

function refusal(configured: EmbedderIdentity, stored: EmbedderIdentity): RecollectError {
  const message = otherModel(
    { stored, configured },
    { vectors: "the stored vectors", elsewhere: "DATA_DIR" },
  );
  return new RecollectError("STORE_UNAVAILABLE", message, { metadata: { backend: "embedded" } });
}

/** Replaces the stored model. Only inside a write; returns the new generation. */
export function changeEmbedder(database: Database, target: EmbedderIdentity): number {
  const { provider, model, dimension } = target;
  const generation = Number(readMeta(database, GENERATION_KEY)?.toString() ?? 1) + 1;
  writeMeta(database, KEY, JSON.stringify({ provider, model, dimension }));
  writeMeta(database, GENERATION_KEY, String(generation));
  return generation;
}

function readMeta(database: Database, key: string): Buffer | undefined {
  const row = database.first("SELECT value FROM meta WHERE key = ?", key);
  return row === undefined ? undefined : Buffer.from(row["value"] as Uint8Array);
}

function writeMeta(database: Database, key: string, value: string): void {
  database.run("INSERT OR REPLACE INTO meta (key, value) VALUES (?, ?)", key, Buffer.from(value));
}
