import { readFile } from "node:fs/promises";
import { isIP } from "node:net";
import { RecollectError } from "../../domain/errors.ts";
import type { ConnectionOptions } from "./client.ts";

/** How Redis is reached, as an operator sets it. Times in milliseconds. */
export interface RedisSettings {
  readonly host: string;
  readonly port: number;
  readonly username: string | undefined;
  readonly password: string | undefined;
  readonly tls: {
    readonly enabled: boolean;
    readonly caFile: string | undefined;
    readonly certFile: string | undefined;
    readonly keyFile: string | undefined;
  };
  readonly socketTimeoutMs: number;
  readonly connectTimeoutMs: number;
  readonly retryOnTimeout: boolean;
}

/** Reads the files that the settings name. Rejects with STORE_UNAVAILABLE, and the file, when one cannot be read. */
export async function connectionOf(settings: RedisSettings): Promise<ConnectionOptions> {
  const { host, port, username, password, tls, socketTimeoutMs, connectTimeoutMs, retryOnTimeout } = settings;
  const common = { host, port, username, password, socketTimeoutMs, connectTimeoutMs, retryOnTimeout };
  if (!tls.enabled) return common;
  const [ca, cert, key] = await Promise.all([
    readIfNamed(tls.caFile, "REDIS_TLS_CA_FILE"),
    readIfNamed(tls.certFile, "REDIS_TLS_CERT_FILE"),
    readIfNamed(tls.keyFile, "REDIS_TLS_KEY_FILE"),
  ]);
  return {
    ...common,
    tls: {
      // An address is no name to ask for.
      ...(isIP(host) === 0 ? { servername: host } : {}),
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
