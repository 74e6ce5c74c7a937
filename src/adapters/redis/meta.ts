import { randomBytes } from "node:crypto";
import { RecollectError } from "../../domain/errors.ts";
import type { ServerSecret } from "../../ports/server-secret.ts";
import type { RedisClient } from "./client.ts";
import type { Keys } from "./keys.ts";
import { bytesOf, listOf, numberOf } from "./replies.ts";
import { readScript } from "./script.ts";

/** What the keys mean. An older program refuses a newer store; a newer one takes an older store forward. */
export const FORMAT = 1;

const SECRET_BYTES = 32;

const CLAIM = readScript("claim-partition", { effect: "writes" });

/**
 * Claims each partition for this format and number of partitions, which are fixed by the first start. Rejects with
 * STORE_UNAVAILABLE when they are others.
 */
export async function claimPartitions(client: RedisClient, keys: Keys): Promise<void> {
  for (let number = 0; number < keys.partitions; number += 1) {
    const { meta } = keys.partition(number);
    const reply = listOf(await client.run(CLAIM, [meta], [FORMAT, keys.partitions]));
    const format = numberOf(reply[0]);
    const partitions = numberOf(reply[1]);
    if (format > FORMAT) {
      throw refused(`this Redis was written by a newer version (format ${format}; this one knows ${FORMAT})`);
    }
    if (partitions !== keys.partitions) {
      throw refused(
        `the data in this Redis is divided into ${partitions} partitions, which is fixed; this server is set to ` +
          `${keys.partitions} (REDIS_PARTITIONS)`,
      );
    }
  }
}

/** The secret of all servers on this Redis, made by the first. */
export async function openServerSecret(client: RedisClient, keys: Keys): Promise<ServerSecret> {
  const { meta } = keys.partition(0);
  await client.command("HSETNX", meta, "secret", randomBytes(SECRET_BYTES));
  const secret = bytesOf(await client.command("HGET", meta, "secret"));
  if (secret === undefined) throw new TypeError("the secret was written and is not there");
  return { read: async () => secret };
}

export function refused(message: string): RecollectError {
  return new RecollectError("STORE_UNAVAILABLE", message, { metadata: { backend: "redis" } });
}
