import { readFile } from "node:fs/promises";
import type { ConnectionOptions } from "../adapters/redis/connection/connection-options.ts";
import type { RedisConnectionConfig } from "../config/config.ts";
import { RecollectError } from "../domain/errors.ts";

/** Reads the files that the settings name. Rejects with STORE_UNAVAILABLE, and the file, when one cannot be read. */
export async function connectionOf(settings: RedisConnectionConfig): Promise<ConnectionOptions> {
  const { host, port, nodes, tls, sentinelName } = settings;
  const { topology, username, password } = settings;
  const { socketTimeoutMs, connectTimeoutMs, retryOnTimeout, waitReplicas } = settings;
  const [first = { host, port }, ...others] = nodes;
  const common: ConnectionOptions = {
    topology,
    addresses: [first, ...others],
    username,
    password,
    ...(sentinelName === undefined
      ? {}
      : {
          sentinel: {
            name: sentinelName,
            username: settings.sentinelUsername,
            password: settings.sentinelPassword,
          },
        }),
    socketTimeoutMs,
    connectTimeoutMs,
    retryOnTimeout,
    waitReplicas,
  };
  if (!tls.enabled) return common;
  const [ca, cert, key] = await Promise.all([
    readIfNamed(tls.caFile, "REDIS_TLS_CA_FILE"),
    readIfNamed(tls.certFile, "REDIS_TLS_CERT_FILE"),
    readIfNamed(tls.keyFile, "REDIS_TLS_KEY_FILE"),
  ]);
  return {
    ...common,
    tls: {
      ...(ca === undefined ? {} : { ca }),
      ...(cert === undefined ? {} : { cert }),
      ...(key === undefined ? {} : { key }),
    },
  };
}

async function readIfNamed(path: string | undefined, setting: string): Promise<Buffer | undefined> {
  if (path === undefined) return undefined;
  try {
    return await readFile(path);
  } catch (error) {
    throw new RecollectError("STORE_UNAVAILABLE", `${setting} names ${path}, which cannot be read`, {
      metadata: { backend: "redis" },
      cause: error,
    });
  }
}
