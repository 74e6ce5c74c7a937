import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import type { Backend } from "../../../src/ports/backend.ts";
import { DAY, NOW, newMemory } from "../../support/builders.ts";
import { openTestRedis, type TestRedis } from "../../support/redis/backend.ts";
import { connectTo } from "../../support/redis/client.ts";
import { sharedRedisUrl } from "../../support/redis/run.ts";
import { VECTOR_DIMENSION, vectorOf } from "../store-under-test.ts";
import { ALL, idsOf } from "./support.ts";

const url = await sharedRedisUrl();
const MODEL = { provider: "contract", model: "random", dimension: VECTOR_DIMENSION };
const SCOPE = { tenant: "t", namespace: "n" };
const OTHER = { tenant: "u", namespace: "m" };
const LATER = NOW + 10 * DAY;
/** Redis indexes in the background. */
const WAIT = { timeout: 20_000 };
const FIELDS = ["ended", "from", "until"];

/** The fields and the index for `as_of` of a store that a program of format 1 has written. */
describe.skipIf(url === "")("a store of format 1 in Redis", () => {
  let opened: TestRedis;
  beforeEach(async () => {
    opened = await openTestRedis(url, { embedder: MODEL });
  });
  afterEach(() => opened[Symbol.asyncDispose]());

  const keys = async (redis: ReturnType<typeof connectTo>, pattern: string): Promise<string[]> =>
    redis.keys(`${opened.name}:{p00}:${pattern}`);
  const meta = (): string => `${opened.name}:{p00}:meta`;
  const fill = async (backend: Backend, count: number): Promise<void> => {
    const item = (given: Parameters<typeof newMemory>[0], seed: number) =>
      newMemory(given, { onDuplicate: "ALLOW", terms: ["fact"], vector: vectorOf(seed) });
    const { writer } = backend.memories;
    for (const scope of [SCOPE, OTHER]) {
      await writer.create(
        scope,
        [
          item({ id: "paris" }, 1),
          item({ id: "archived", state: "ARCHIVED", updateTime: NOW + DAY }, 2),
          item({ id: "bounded", validFrom: NOW + DAY, validUntil: NOW + 2 * DAY }, 3),
          ...Array.from({ length: count }, (_, at) => item({ id: `m${at}`, createTime: NOW + DAY }, at)),
        ],
        { now: NOW },
      );
      const berlin = item({ id: "berlin", createTime: NOW + DAY, supersedes: ["paris"] }, 4);
      await writer.create(scope, [berlin], { now: NOW + DAY });
    }
  };
  /** What format 2 has added is removed, and the index made as format 1 made it. */
  const downgrade = async (): Promise<void> => {
    using redis = connectTo(url);
    for (const key of await keys(redis, "m:*")) await redis.hdel(key, ...FIELDS);
    await redis.hdel(meta(), "history");
    await redis.hset(meta(), "format", 1);
    const [generation] = await redis.hmget(meta(), "generation");
    const alias = `${opened.name}:memories`;
    await redis.call("FT.DROPINDEX", alias);
    const definition = `ON HASH PREFIX 1 ${opened.name}:{p00}:m: NOOFFSETS NOHL STOPWORDS 0 SCHEMA tok TAG SEPARATOR , CASESENSITIVE
      terms TEXT NOSTEM created NUMERIC event NUMERIC importance NUMERIC v${generation} VECTOR HNSW 12 TYPE FLOAT32
      DIM ${VECTOR_DIMENSION} DISTANCE_METRIC COSINE M 16 EF_CONSTRUCTION 200 EF_RUNTIME 10`;
    await redis.call("FT.CREATE", `${alias}:1`, ...definition.split(/\s+/));
    await redis.call("FT.ALIASADD", alias, `${alias}:1`);
    await vi.waitFor(async () => {
      const info = (await redis.call("FT.INFO", alias)) as unknown[];
      expect(Number(info[info.indexOf("indexing") + 1])).toBe(0);
    }, WAIT);
  };
  const asOf = async (scope: typeof SCOPE, time: number): Promise<string[]> => {
    const { reader, search } = opened.backend.memories;
    const filter = { states: ["ACTIVE" as const], asOf: time };
    const listed = idsOf(await reader.list(scope, { filter, limit: ALL, now: LATER })).sort();
    const query = { terms: ["fact"], vector: vectorOf(1), filter, limit: ALL };
    const found = await search.search(scope, query, LATER);
    expect(idsOf(found.byVector).sort()).toEqual(listed);
    expect(idsOf(found.byKeyword).sort()).toEqual(listed);
    expect(await reader.count(scope, filter, LATER)).toBe(listed.length);
    return listed.filter((id) => !/^m\d/.test(id));
  };
  const expectHistory = async (): Promise<void> => {
    for (const scope of [SCOPE, OTHER]) {
      expect(await asOf(scope, NOW)).toEqual(["archived", "paris"]);
      expect(await asOf(scope, NOW + DAY)).toEqual(["berlin", "bounded"]);
      expect(await asOf(scope, NOW + 2 * DAY)).toEqual(["berlin"]);
    }
  };
  const isReady = async (): Promise<void> => {
    using redis = connectTo(url);
    await vi.waitFor(async () => expect(await redis.hget(meta(), "history")).toBe("1"), WAIT);
  };

  it("gets the fields of its history, and is marked", async () => {
    await fill(opened.backend, 0);
    using redis = connectTo(url);
    const fieldsNow = async (): Promise<unknown[]> => {
      const all = (await keys(redis, "m:*")).sort();
      return Promise.all(all.map((key) => redis.hmget(key, ...FIELDS)));
    };
    const written = await fieldsNow();
    expect(written.flat()).toContain(String(NOW + 2 * DAY));
    await downgrade();
    expect(await fieldsNow()).not.toEqual(written);
    await opened.reopen();
    await isReady();
    expect(await fieldsNow()).toEqual(written);
    expect(await redis.hget(meta(), "format")).toBe("2");
    await expectHistory();
  });

  it("answers as of a time correctly while that is under way", async () => {
    await fill(opened.backend, 300);
    await downgrade();
    await opened.reopen();
    await expectHistory();
    await isReady();
    await expectHistory();
  });

  it("serves everything else meanwhile", async () => {
    await fill(opened.backend, 400);
    await downgrade();
    await opened.reopen();
    const { search } = opened.backend.memories;
    const query = {
      terms: ["fact"],
      vector: vectorOf(1),
      filter: { states: ["ACTIVE" as const] },
      limit: ALL,
    };
    let isOver = false;
    const ready = isReady().finally(() => {
      isOver = true;
    });
    while (!isOver) {
      const { byKeyword, byVector, plan } = await search.search(SCOPE, query, LATER);
      expect([byKeyword.length, byVector.length, plan.walked]).toEqual([402, 402, false]);
    }
    await ready;
  });

  it("may be prepared by several processes at once", async () => {
    await fill(opened.backend, 50);
    await downgrade();
    const others = await Promise.all([1, 2].map(() => reopened()));
    await opened.reopen();
    await isReady();
    await expectHistory();
    for (const other of others) await other[Symbol.asyncDispose]();
  });

  async function reopened(): Promise<Backend> {
    const { openRedisBackend } = await import("../../../src/adapters/redis/backend.ts");
    const { connectionOf } = await import("../../../src/app/redis-connection.ts");
    const { settingsOf } = await import("../../support/redis/backend.ts");
    const { quiet } = await import("../../support/quiet.ts");
    return openRedisBackend({
      connection: await connectionOf(settingsOf(url)),
      prefix: `${opened.name}:`,
      partitions: 1,
      indexes: { memories: `${opened.name}:memories`, cache: `${opened.name}:cache` },
      vectors: { algorithm: "HNSW", hnsw: { m: 16, efConstruction: 200, efRuntime: 10 } },
      log: quiet.log,
      metrics: quiet.metrics,
      embedder: MODEL,
    });
  }
});
