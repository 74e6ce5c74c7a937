import { Redis, type RedisOptions } from "ioredis";

/** A client as a test wants it: RESP2, and a connection that fails or breaks fails its commands at once. */
export function connectTo(
  url: string,
  options: Pick<RedisOptions, "username" | "password" | "tls" | "enableReadyCheck"> = {},
): Redis & Disposable {
  const redis = new Redis(url, { ...options, retryStrategy: () => null });
  // The failed command rejects too.
  redis.on("error", () => undefined);
  return Object.assign(redis, { [Symbol.dispose]: () => redis.disconnect() });
}
