import { sameModel } from "../../domain/embedding/identity.ts";
import { RecollectError } from "../../domain/errors.ts";
import type { EmbedderIdentity } from "../../ports/embedder.ts";
import type { Log } from "../../ports/log.ts";
import type { Database } from "./database.ts";
import { readRecord } from "./reembedding-record.ts";
import { VectorModel } from "./vector-model.ts";

const KEY = "embedder";
const ACCEPTED_KEY = "embedder_configured";
const GENERATION_KEY = "vector_generation";

/**
 * Which model made the vectors of this file: the configured one, if there were none. Another one is refused, for vectors
 * of two models are never compared; except that re-embeddings change the model behind the back of the settings. The file
 * is right then, and the log says what to set: a restart that nobody planned must not be an outage, in the middle of a
 * change or after several. Without an embedder nothing is checked, for then no vector is read or written.
 */
export async function claimEmbedder(
  database: Database,
  configured: EmbedderIdentity | undefined,
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
  const different = !sameModel(ours, stored);
  if (different && !isExplained(database, ours, stored)) throw refusal(ours, stored);
  if (different) {
    log.warn(
      { configured: ours, stored },
      `the vectors are of another model by a re-embedding, and that one is used; set ${inSettings(stored)} to say so`,
    );
  }
  const accepted = JSON.stringify(ours);
  if (readMeta(database, ACCEPTED_KEY)?.toString() !== accepted) {
    await database.write(() => {
      writeMeta(database, ACCEPTED_KEY, accepted);
      return { result: undefined };
    });
  }
  return new VectorModel(stored, generation);
}

/** Whether re-embeddings have led from the configured model to the stored one, or lead to it. */
function isExplained(database: Database, ours: EmbedderIdentity, stored: EmbedderIdentity): boolean {
  const accepted = readMeta(database, ACCEPTED_KEY);
  // The settings of the last start: whatever has changed since, changed by a call.
  if (accepted !== undefined && sameModel(JSON.parse(String(accepted)) as EmbedderIdentity, ours))
    return true;
  const latest = readRecord(database);
  return latest?.state === "RUNNING"
    ? sameModel(latest.target, ours)
    : latest?.state === "DONE" && sameModel(latest.source, ours) && sameModel(latest.target, stored);
}

function refusal(ours: EmbedderIdentity, stored: EmbedderIdentity): RecollectError {
  return new RecollectError(
    "STORE_UNAVAILABLE",
    `the stored vectors were made by ${inSettings(stored)}, and this server is set to ${inSettings(ours)}. Vectors of ` +
      "two models cannot be compared. To change the model, start with the old settings, then call " +
      `OperationsService.StartReembedding with model ${ours.model} and dimension ${ours.dimension}. Or use another ` +
      "DATA_DIR",
    { metadata: { backend: "embedded" } },
  );
}

/** Puts another model in the place of the one that was. Only inside a write; returns the new generation. */
export function changeEmbedder(database: Database, target: EmbedderIdentity): number {
  const { provider, model, dimension } = target;
  const generation = Number(readMeta(database, GENERATION_KEY)?.toString() ?? 1) + 1;
  writeMeta(database, KEY, JSON.stringify({ provider, model, dimension }));
  writeMeta(database, GENERATION_KEY, String(generation));
  return generation;
}

function inSettings({ provider, model, dimension }: EmbedderIdentity): string {
  return provider === "hashing"
    ? `EMBEDDING_PROVIDER=hashing (${model}), VECTOR_DIM=${dimension}`
    : `EMBEDDING_PROVIDER=${provider}, EMBEDDING_MODEL=${model}, VECTOR_DIM=${dimension}`;
}

function readMeta(database: Database, key: string): Buffer | undefined {
  const row = database.first("SELECT value FROM meta WHERE key = ?", key);
  return row === undefined ? undefined : Buffer.from(row["value"] as Uint8Array);
}

function writeMeta(database: Database, key: string, value: string): void {
  database.run("INSERT OR REPLACE INTO meta (key, value) VALUES (?, ?)", key, Buffer.from(value));
}
