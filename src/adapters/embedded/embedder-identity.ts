import { sameModel } from "../../domain/embedding/identity.ts";
import { RecollectError } from "../../domain/errors.ts";
import type { EmbedderIdentity } from "../../ports/embedder.ts";
import type { Log } from "../../ports/log.ts";
import type { Database } from "./database.ts";
import { readRecord } from "./reembedding-record.ts";
import { VectorModel } from "./vector-model.ts";

const KEY = "embedder";
const GENERATION_KEY = "vector_generation";

/**
 * Which model made the vectors of this file: the configured one, if there were none. Another one is refused, for vectors
 * of two models are never compared; except that after a re-embedding the model that was changed from may still be
 * configured: then the file is right, and the log says what to set. Without an embedder nothing is checked, for then no
 * vector is read or written.
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
  if (sameModel(ours, stored)) return new VectorModel(stored, generation);
  const latest = readRecord(database);
  if (latest?.state === "DONE" && sameModel(latest.source, ours) && sameModel(latest.target, stored)) {
    log.warn(
      { configured: ours, stored },
      `the vectors were changed to another model, which is used; set ${inSettings(stored)} to say so`,
    );
    return new VectorModel(stored, generation);
  }
  const change =
    latest?.state === "RUNNING" && sameModel(latest.target, ours)
      ? "the change to it is under way and goes on then"
      : `then call OperationsService.StartReembedding with model ${model} and dimension ${dimension}`;
  throw new RecollectError(
    "STORE_UNAVAILABLE",
    `the stored vectors were made by ${inSettings(stored)}, and this server is set to ${inSettings(ours)}. Vectors of ` +
      `two models cannot be compared. To change the model, start with the old settings; ${change}. Or use another ` +
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
