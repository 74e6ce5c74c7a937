import { createSecretKey, type KeyObject, randomBytes } from "node:crypto";
import type { ServerSecret } from "../../../ports/server-secret.ts";
import type { RedisClient } from "../connection/client.ts";
import { refused } from "../connection/errors.ts";
import { bytesOf, listOf, numberOf } from "../connection/replies.ts";
import { defineScript } from "../connection/script.ts";
import type { Keys, PartitionKeys } from "./keys.ts";

export { refused } from "../connection/errors.ts";

/** The version of the stored formats. An older program refuses a newer store; a newer one migrates an older store. */
export const FORMAT = 2;

const SECRET_BYTES = 32;
const IDENTITY_BYTES = 16;

const CLAIM = defineScript({
  file: new URL("./claim-partition.lua", import.meta.url),
  effect: "writes",
  keys: ["meta", "namespaces"],
  arguments: ["format", "partitions", "newIdentity"],
  reply: (reply) => {
    const [format, partitions] = listOf(reply).map(numberOf);
    return { format, partitions };
  },
});

/**
 * Claims each partition for this format and number of partitions, which are fixed by the first start. Rejects with
 * STORE_UNAVAILABLE when they are others.
 */
export async function claimPartitions(client: RedisClient, keys: Keys): Promise<void> {
  const [first, ...others] = keys.all();
  // The first partition first: of two servers with different numbers, one is refused before it has claimed anything.
  await claim(client, first, keys.partitions);
  await Promise.all(others.map((partition) => claim(client, partition, keys.partitions)));
}

async function claim(
  client: RedisClient,
  { meta, namespaces }: PartitionKeys,
  partitions: number,
): Promise<void> {
  const { format, partitions: claimed } = await client.run(CLAIM, {
    ...{ meta, namespaces },
    format: FORMAT,
    partitions,
    newIdentity: newIdentity(),
  });
  if (format !== undefined && format > FORMAT) {
    throw refused(`this Redis was written by a newer version (format ${format}; this one knows ${FORMAT})`);
  }
  if (claimed !== partitions) {
    throw refused(
      `the data in this Redis is divided into ${claimed} partitions, which is fixed; this server is set to ` +
        `${partitions} (REDIS_PARTITIONS)`,
    );
  }
}

/** A new identity of the store of a partition: see store-identity.ts. */
export function newIdentity(): string {
  return randomBytes(IDENTITY_BYTES).toString("hex");
}

/** The secret of all servers on this Redis, created by the first. */
export class RedisServerSecret implements ServerSecret {
  readonly #client: RedisClient;
  readonly #meta: string;
  #secret: KeyObject;

  private constructor(client: RedisClient, meta: string, secret: KeyObject) {
    this.#client = client;
    this.#meta = meta;
    this.#secret = secret;
  }

  static async open(client: RedisClient, keys: Keys): Promise<RedisServerSecret> {
    const { meta } = keys.partition(0);
    return new RedisServerSecret(client, meta, await claimSecret(client, meta, randomBytes(SECRET_BYTES)));
  }

  read(): KeyObject {
    return this.#secret;
  }

  /**
   * Reads the secret of a store that was replaced; one without a secret gets the previous one, so that tokens stay
   * valid.
   */
  async claimAgain(): Promise<void> {
    this.#secret = await claimSecret(this.#client, this.#meta, this.#secret.export());
  }
}

async function claimSecret(client: RedisClient, meta: string, proposed: Buffer): Promise<KeyObject> {
  await client.command("HSETNX", meta, "secret", proposed);
  const secret = bytesOf(await client.command("HGET", meta, "secret"));
  if (secret === undefined) throw new TypeError("the secret was written and is not there");
  return createSecretKey(secret);
}
