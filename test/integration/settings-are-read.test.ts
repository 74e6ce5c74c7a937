import { randomBytes } from "node:crypto";
import { isDeepStrictEqual } from "node:util";
import { beforeAll, describe, expect, it } from "vitest";
import { connectionOf } from "../../src/app/redis-connection.ts";
import { assemble } from "../../src/config/assemble.ts";
import { type Settled, valuesOf } from "../../src/config/derive.ts";
import { load, loadConfig } from "../../src/config/load.ts";
import { NOT_YET } from "../../src/config/not-yet.ts";
import { ALL_SETTINGS, type SettingKey } from "../../src/config/settings.ts";
import { testKey } from "../support/api-keys.ts";
import { testAuthority } from "../support/certificates.ts";
import { startOpenAiServer } from "../support/openai-server.ts";
import { removeAll } from "../support/redis/backend.ts";
import { describeSharedRedis } from "../support/redis/run.ts";
import { startApp, type TestApp } from "../support/start-app.ts";
import { tlsFolder } from "../support/tls-files.ts";
import { leavesOf, trackedConfig } from "../support/tracked-config.ts";

/** Settings that the server does not read, each with the reason. */
const READ_BY_NOTHING: Readonly<Partial<Record<SettingKey, string>>> = {
  configFile: "names the file that a Config is made of",
  redisDb: "anything but 0 is refused (combinations.ts)",
  vectorMetric: "anything but COSINE is refused (settings/storage.ts)",
};

/** Settings without an effect in this version, except for a warning and a note in the documentation. */
const ANNOUNCED: ReadonlySet<SettingKey> = new Set(
  NOT_YET.filter(({ backend }) => backend === undefined).flatMap(({ settings }) => settings),
);

await describeSharedRedis("each setting", ({ url }) => {
  let read: ReadonlySet<string>;
  beforeAll(async () => {
    read = new Set([...(await readOnEmbedded()), ...(await readOnRedis(url)), ...(await readForSentinels())]);
  });

  it.each(ALL_SETTINGS)("%s is read by the server, or listed with a reason", (key) => {
    const leaves = leavesMadeOf(key);
    const isRead = leaves.some((path) => read.has(path));
    if (READ_BY_NOTHING[key] !== undefined) expect({ leaves, isRead }).toMatchObject({ isRead: false });
    else if (!ANNOUNCED.has(key)) expect({ leaves, isRead }).toMatchObject({ isRead: true });
  });
});

describe("trackedConfig", () => {
  const original = loadConfig({ env: { RECOLLECT_CONFIG: "none.yaml" } });

  it("records properties read by name, also in groups", () => {
    const read = new Set<string>();
    const config = trackedConfig(original, read);
    const { redis, backend } = config;
    expect([backend, redis.tls.caFile]).toEqual(["embedded", undefined]);
    expect([...read].sort()).toEqual(["backend", "redis.tls.caFile"]);
  });

  it("does not count a copy as a read", () => {
    const read = new Set<string>();
    const config = trackedConfig(original, read);
    const copies = [{ ...config.redis }, Object.values(config.cache), Object.entries(config.log)];
    const { mode, ...others } = config.auth;
    expect([mode, ...copies, others]).toHaveLength(5);
    expect([...read]).toEqual(["auth.mode"]);
  });
});

/** The paths in a Config that depend on a setting. */
function leavesMadeOf(key: SettingKey): string[] {
  const values = valuesOf(load({ env: { RECOLLECT_CONFIG: "none.yaml" } }).settings);
  const of = (all: Settled) =>
    leavesOf(assemble(all, { backendReason: "", warnings: [], embedderByDefault: true }));
  const [before, after] = [of(values), of({ ...values, [key]: another(key, values[key]) })];
  return [...after]
    .filter(([path, value]) => !isDeepStrictEqual(value, before.get(path)))
    .map(([path]) => path);
}

/** Another value of the same type. */
function another(key: SettingKey, value: unknown): unknown {
  if (key === "redisUrl") return { host: "h", port: 1, tls: true, username: "u", password: "p", db: 1 };
  if (typeof value === "number") return value + 1;
  if (typeof value === "boolean") return !value;
  return Array.isArray(value) ? [...value, "another"] : `${value ?? ""}-another`;
}

/** Settings that are read by a server with an embedding provider, TLS and API keys, during its start and some calls. */
async function readOnEmbedded(): Promise<ReadonlySet<string>> {
  const authority = testAuthority();
  const clients = testAuthority();
  await using files = await tlsFolder({ ...authority.issue(), clientCa: clients.cert });
  await using provider = await startOpenAiServer();
  const env = {
    ...files.env,
    EMBEDDING_API_BASE: provider.apiBase,
    COMPACTION_LLM_MODEL: "a-model",
    VECTOR_DIM: "384",
    GRPC_HOST: "127.0.0.1",
    HTTP_HOST: "127.0.0.1",
  };
  const key = testKey();
  const read = new Set<string>();
  await using app = await startApp({
    env,
    apiKeys: [key],
    tls: { ca: authority.cert, ...clients.issue() },
    configure: (config) => trackedConfig(config, read),
  });
  await useAll(app, { authorization: `Bearer ${key.key}` });
  return read;
}

/** The same for a server on this Redis without an embedding provider. */
async function readOnRedis(url: string): Promise<ReadonlySet<string>> {
  const name = `test-${randomBytes(8).toString("hex")}`;
  await using cleanup = new AsyncDisposableStack();
  cleanup.defer(() => removeAll(url, name));
  const read = new Set<string>();
  await using app = await startApp({
    env: {
      MEMORY_BACKEND: "redis",
      REDIS_URL: url,
      REDIS_PREFIX: `${name}:`,
      VECTOR_INDEX_NAME: `${name}:memories`,
      CACHE_INDEX_NAME: `${name}:cache`,
    },
    configure: (config) => trackedConfig(config, read),
  });
  await useAll(app);
  return read;
}

/** Settings that are read by a connection through Sentinels with TLS. It fails at the first file, which is missing. */
async function readForSentinels(): Promise<ReadonlySet<string>> {
  const read = new Set<string>();
  const config = loadConfig({
    env: {
      RECOLLECT_CONFIG: "none.yaml",
      REDIS_NODES: "127.0.0.1:1",
      REDIS_SENTINEL_NAME: "primary",
      REDIS_TLS: "true",
      REDIS_TLS_CA_FILE: "none.pem",
    },
  });
  await expect(connectionOf(trackedConfig(config, read).redis)).rejects.toThrow("none.pem");
  return read;
}

/** Calls that use settings which are not read at the start. */
async function useAll(app: TestApp, headers: Readonly<Record<string, string>> = {}): Promise<void> {
  const scope = { model: "m" };
  const ask = (value: string) => ({ prompt: { case: "text" as const, value } });
  const stored = {
    prompt: ask("How do I cancel my order of 3 books?"),
    origin: { case: "scope" as const, value: scope },
    response: "a",
  };
  await app.memory.createMemory({ memory: { text: "likes tea" } }, { headers });
  await app.cache.storeCacheEntry(stored, { headers });
  const { outcome } = await app.cache.lookupCache(
    { prompt: ask("please, how do I cancel my order of three books"), scope },
    { headers },
  );
  expect(outcome.case).toBe("hit");
}
