import { RecollectError } from "../../domain/errors.ts";
import type { EmbedderIdentity } from "../../ports/embedder.ts";
import type { Database } from "./database.ts";

const KEY = "embedder";

/**
 * Keeps which model made the vectors of this file, and refuses another one: vectors of two models are never
 * compared. Without an embedder nothing is checked, for then no vector is read or written.
 */
export async function claimEmbedder(
  database: Database,
  identity: EmbedderIdentity | undefined,
): Promise<void> {
  if (identity === undefined) return;
  const { provider, model, dimension } = identity;
  const ours = Buffer.from(JSON.stringify({ provider, model, dimension }));
  const stored = await database.write(() => {
    database.run("INSERT OR IGNORE INTO meta (key, value) VALUES (?, ?)", KEY, ours);
    return { result: database.first("SELECT value FROM meta WHERE key = ?", KEY)?.["value"] as Uint8Array };
  });
  if (ours.equals(stored)) return;
  throw new RecollectError(
    "STORE_UNAVAILABLE",
    `the stored vectors were made by ${Buffer.from(stored).toString()}, and this server is set to ` +
      `${ours.toString()}: set EMBEDDING_PROVIDER, EMBEDDING_MODEL and VECTOR_DIM back, or use another DATA_DIR`,
  );
}
