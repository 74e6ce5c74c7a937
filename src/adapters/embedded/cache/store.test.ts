import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { quiet } from "../../../../test/support/quiet.ts";
import { Database } from "../database/database.ts";
import { IdempotencyRecords } from "../namespaces/idempotency.ts";
import { NamespaceIds } from "../namespaces/namespace-ids.ts";
import { VectorModel } from "../vectors/vector-model.ts";
import { EmbeddedCachePolicyStore } from "./policies.ts";
import { EmbeddedCacheStore } from "./store.ts";

const SCOPE = { tenant: "t", namespace: "n" };
const NOW = 1_700_000_000_000;

let directory: string;
let database: Database;
let store: EmbeddedCacheStore;
let warnings: unknown[];
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), "recollect-cache-store-"));
  database = new Database(join(directory, "recollect.db"));
  const namespaces = new NamespaceIds(database);
  await database.write(() => ({ result: namespaces.findOrCreate(SCOPE) }));
  warnings = [];
  const log = { warn: (detail: object) => void warnings.push(detail) };
  const records = new IdempotencyRecords(database);
  store = new EmbeddedCacheStore(database, namespaces, records, {
    model: new VectorModel(undefined, 1),
    policies: new EmbeddedCachePolicyStore(database, namespaces, records),
    log,
    metrics: quiet.metrics,
  });
  vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout"] });
});
afterEach(async () => {
  vi.useRealTimers();
  store[Symbol.dispose]();
  database[Symbol.dispose]();
  await rm(directory, { recursive: true });
});

/** Misses in the database after all queued writes. */
async function writtenMisses(): Promise<number> {
  await database.write(() => ({ result: undefined }));
  return Number(database.first("SELECT misses FROM cache_counter")?.["misses"] ?? 0);
}

function miss(times = 1): void {
  for (let time = 0; time < times; time += 1) store.countLookup(SCOPE, { kind: "MISS" }, NOW);
}

describe("counted lookups", () => {
  it("are written together, a second after the first of them", async () => {
    miss();
    vi.advanceTimersByTime(600);
    miss();
    vi.advanceTimersByTime(399);
    expect(await writtenMisses()).toBe(0);
    vi.advanceTimersByTime(1);
    expect(await writtenMisses()).toBe(2);
    miss();
    vi.advanceTimersByTime(1000);
    expect(await writtenMisses()).toBe(3);
  });

  it("are written at once when there are 1,024, and leave no timer", async () => {
    miss(1023);
    expect(await writtenMisses()).toBe(0);
    miss();
    expect(await writtenMisses()).toBe(1024);
    expect(vi.getTimerCount()).toBe(0);
  });

  it("leave no timer behind when the store is closed", () => {
    miss();
    expect(vi.getTimerCount()).toBe(1);
    store[Symbol.dispose]();
    expect(vi.getTimerCount()).toBe(0);
  });

  it("that cannot be written are lost with a log message, and nothing fails", async () => {
    miss();
    database[Symbol.dispose]();
    await vi.advanceTimersByTimeAsync(1000);
    expect(warnings).toHaveLength(1);
  });
});
