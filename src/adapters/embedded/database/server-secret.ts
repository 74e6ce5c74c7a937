import { createSecretKey, randomBytes } from "node:crypto";
import type { ServerSecret } from "../../../ports/server-secret.ts";
import type { Database } from "./database.ts";

const KEY = "server_secret";
const BYTES = 32;

/** The secret in the `meta` table, created at the first start. */
export async function openServerSecret(database: Database): Promise<ServerSecret> {
  const secret = await database.write(() => {
    database.run("INSERT OR IGNORE INTO meta (key, value) VALUES (?, ?)", KEY, randomBytes(BYTES));
    return { result: database.first("SELECT value FROM meta WHERE key = ?", KEY)?.["value"] as Uint8Array };
  });
  const key = createSecretKey(secret);
  return { read: () => key };
}
