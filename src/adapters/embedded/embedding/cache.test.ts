import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { digest } from "../../../lib/digest.ts";
import type { EmbeddingCache } from "../../../ports/embedding/embedding-cache.ts";
import { Database } from "../database/database.ts";
import { createEmbeddingCache } from "./cache.ts";

const NOW = 1_700_000_000_000;
const KEY = digest("a text");
const VECTOR = Float32Array.of(0.6, 0.8);

let directory: string;
let database: Database;
let cache: EmbeddingCache;
let warnings: object[];
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), "recollect-embedding-cache-"));
  database = new Database(join(directory, "recollect.db"));
  warnings = [];
  cache = createEmbeddingCache(database, {
    maxEntries: 1000,
    log: { warn: (fields) => void warnings.push(fields) },
  });
});
afterEach(async () => {
  database[Symbol.dispose]();
  await rm(directory, { recursive: true });
});

const put = (key: string, now = NOW) =>
  cache.put([{ key, embedded: { vector: VECTOR, truncated: false } }], { now, expireTime: now + 1000 });
const rows = () => Number(database.first("SELECT count(*) AS n FROM embedding_cache")?.["n"]);

describe("a damaged row", () => {
  it.each([
    ["a flipped bit", "UPDATE embedding_cache SET vector = CAST(X'00000000' || substr(vector, 5) AS BLOB)"],
    ["a vector cut short", "UPDATE embedding_cache SET vector = substr(vector, 1, 3)"],
    ["nothing left", "UPDATE embedding_cache SET vector = X''"],
  ])("is a miss with a log message, until it is written again: %s", async (_, damage) => {
    await put(KEY);
    await database.write(() => ({ result: database.run(damage) }));
    expect(await cache.get([KEY], NOW)).toEqual([undefined]);
    expect(warnings).toHaveLength(1);
    await put(KEY);
    expect(await cache.get([KEY], NOW)).toEqual([{ vector: VECTOR, truncated: false }]);
    expect(rows()).toBe(1);
  });
});

describe("expired rows", () => {
  it("are removed by later writes, a few at a time", async () => {
    const entries = Array.from({ length: 50 }, (_, index) => ({
      key: digest(`${index}`),
      embedded: { vector: VECTOR, truncated: false },
    }));
    await cache.put(entries, { now: NOW, expireTime: NOW + 1 });
    await put(KEY, NOW + 1);
    expect(rows()).toBe(19);
    await put(KEY, NOW + 1);
    expect(rows()).toBe(1);
  });
});

it("opens on a file that already has the table", async () => {
  await put(KEY);
  const again = createEmbeddingCache(database, { maxEntries: 10, log: { warn: () => undefined } });
  expect(await again.get([KEY], NOW)).toEqual([{ vector: VECTOR, truncated: false }]);
});
