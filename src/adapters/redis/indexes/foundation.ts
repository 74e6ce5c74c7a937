import type { ConfiguredModel } from "../../../domain/embedding/configured-model.ts";
import type { Log } from "../../../ports/log.ts";
import { RedisClient } from "../connection/client.ts";
import type { ConnectionOptions } from "../connection/connection-options.ts";
import { refused } from "../connection/errors.ts";
import { probe, type RedisServerInfo } from "../connection/server-info.ts";
import { Keys } from "../namespaces/keys.ts";
import { claimPartitions } from "../namespaces/metadata.ts";
import type { IndexNames, VectorIndexOptions } from "./schema.ts";
import { VectorModel } from "./vector-model.ts";

export interface FoundationOptions {
  readonly connection: ConnectionOptions;
  /** The prefix of all keys. */
  readonly prefix: string;
  /** The number of partitions of a cluster; fixed by its first start. Other topologies have one. */
  readonly partitions: number;
  readonly indexes: IndexNames;
  readonly vectors: VectorIndexOptions;
  /** Undefined: vector search is switched off. */
  readonly embedder: ConfiguredModel | undefined;
  readonly log: Log;
}

/** A connected and claimed Redis. Disposing it closes the connections. */
export interface Foundation extends AsyncDisposable {
  readonly client: RedisClient;
  readonly serverInfo: RedisServerInfo;
  readonly keys: Keys;
  readonly model: VectorModel;
}

/**
 * Connects, reads the server info, and claims this Redis for the format, the number of partitions and the model. Rejects
 * with STORE_UNAVAILABLE and the reason when it is claimed for others.
 */
export async function openFoundation(options: FoundationOptions): Promise<Foundation> {
  const { log } = options;
  await using opening = new AsyncDisposableStack();
  const client = opening.use(await RedisClient.open(options.connection, log));
  const serverInfo = await probe(client);
  const keys = keysOf(options, serverInfo);
  await claimPartitions(client, keys);
  const model = await VectorModel.claim(client, keys, options.embedder, log);
  const opened = opening.move();
  return { client, serverInfo, keys, model, [Symbol.asyncDispose]: () => opened.disposeAsync() };
}

function keysOf({ prefix, partitions, indexes }: FoundationOptions, { topology }: RedisServerInfo): Keys {
  if (topology !== "cluster") return new Keys(prefix, 1);
  // The first braces of a key are its hash tag, which Recollect adds.
  const name = [prefix, indexes.memories, indexes.cache].find((one) => one.includes("{"));
  if (name !== undefined) throw refused(`${name} holds a brace, which no name may on a cluster`);
  return new Keys(prefix, partitions, { isCluster: true });
}
