/** The Redis of the servers in this test file; undefined: the embedded backend. */
let redis: { readonly url: string; readonly name: string } | undefined;

/** Number of each data directory: a server that is restarted with it has the same data. */
const places = new Map<string, number>();

/** From now on servers use this Redis, with this key prefix. */
export function serveFrom(url: string, name: string): void {
  redis = { url, name };
}

/** Whether this file runs on Redis. */
export function onRedis(): boolean {
  return redis !== undefined;
}

/** The storage settings of a server. */
export function backendSettings(dataDir: string): Readonly<Record<string, string>> {
  if (redis === undefined) return { DATA_DIR: dataDir };
  const place = places.get(dataDir) ?? places.size;
  places.set(dataDir, place);
  const name = `${redis.name}:${place}`;
  return {
    DATA_DIR: dataDir,
    MEMORY_BACKEND: "redis",
    REDIS_URL: redis.url,
    REDIS_PREFIX: `${name}:`,
    VECTOR_INDEX_NAME: `${name}:memories`,
    CACHE_INDEX_NAME: `${name}:cache`,
  };
}
