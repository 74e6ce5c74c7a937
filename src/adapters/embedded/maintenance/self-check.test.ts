import { readFileSync, writeFileSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { cacheEntry, DAY, memory, NOW, newMemory, unitVector } from "../../../../test/support/builders.ts";
import { expectNoLeaks } from "../../../../test/support/leaks.ts";
import { quiet } from "../../../../test/support/quiet.ts";
import { SMALL_RESERVED_SPACE } from "../../../../test/support/small-reserved-space.ts";
import { ACTIVE_ONLY } from "../../../domain/memory/filter.ts";
import type { Backend } from "../../../ports/backend.ts";
import { openEmbeddedBackend } from "../backend.ts";
import { Database } from "../database/database.ts";

const SCOPE = { tenant: "t", namespace: "n" };
const DIMENSION = 8;
const COUNT = 400;
const PAGE = 4096;

let directory: string;
let errors: object[];
let warnings: string[];
let metrics: { damaged: number; repaired: number };
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), "recollect-self-check-"));
  errors = [];
  warnings = [];
  metrics = { damaged: 0, repaired: 0 };
});
afterEach(async () => {
  await rm(directory, { recursive: true });
});

const file = (): string => join(directory, "recollect.db");

const open = (): Promise<Backend> =>
  openEmbeddedBackend({
    reserved: SMALL_RESERVED_SPACE,
    directory,
    embedder: { provider: "test", model: "random", dimension: DIMENSION },
    log: {
      ...quiet.log,
      error: (fields) => void errors.push(fields),
      warn: (_, message) => void warnings.push(message),
    },
    metrics: {
      cacheRemoved: () => undefined,
      storeDamaged: (parts) => {
        metrics.damaged = parts;
      },
      storeRepaired: (parts) => {
        metrics.repaired += parts;
      },
      observeStoreDisk: quiet.metrics.observeStoreDisk,
    },
  });

async function fill(): Promise<void> {
  await using backend = await open();
  const items = Array.from({ length: COUNT }, (_, index) =>
    newMemory(
      {
        id: `m${index}`,
        text: `marker${index} and many words that make a page full ${"word ".repeat(20)}`,
        userId: `u${index % 3}`,
        tags: ["even", "odd"].slice(index % 2),
      },
      { vector: unitVector(index, DIMENSION) },
    ),
  );
  await backend.memories.writer.create(SCOPE, items, { now: NOW });
}

/** Changes the file without the store, as damage does. */
function tamper(sql: string): void {
  using sqlite = new DatabaseSync(file(), { defensive: false, enableForeignKeyConstraints: false });
  sqlite.exec(sql);
}

/** Fills half of a leaf page of this table or index with noise. */
function tear(tree: string): void {
  const page = (() => {
    using sqlite = new DatabaseSync(file());
    const leaf = sqlite.prepare(
      "SELECT max(pageno) AS page FROM dbstat WHERE name = ? AND pagetype = 'leaf'",
    );
    return Number(leaf.get(tree)?.["page"]);
  })();
  const content = readFileSync(file());
  content.fill(0xa5, PAGE * (page - 1), PAGE * (page - 1) + PAGE / 2);
  writeFileSync(file(), content);
}

async function idsOf(backend: Backend, filter = {}): Promise<string[]> {
  const found = await backend.memories.reader.list(SCOPE, {
    filter: { ...ACTIVE_ONLY, ...filter },
    limit: 9999,
    now: NOW,
  });
  return found.map(({ id }) => id);
}

async function containing(backend: Backend, word: string): Promise<string[]> {
  const { byKeyword: found } = await backend.memories.search.search(
    SCOPE,
    { terms: [word], filter: ACTIVE_ONLY, limit: 5 },
    NOW,
  );
  return found.map(({ id }) => id);
}

describe("the check after a start", () => {
  it("finds nothing in a file with every kind of change", async () => {
    await (async () => {
      await using backend = await open();
      const { memories, cache, namespaces } = backend;
      const vector = unitVector(1, DIMENSION);
      const items = ["a", "b", "c", "d"].map((id) =>
        newMemory({ id, sessionId: "s", tags: [id], metadata: { id }, embedding: READY }, { vector }),
      );
      await memories.writer.create(SCOPE, items, { now: NOW });
      await memories.writer.create(SCOPE, [newMemory({ id: "e", expireTime: NOW + 1 })], { now: NOW });
      const [current] = await memories.reader.get(SCOPE, ["a"], NOW);
      await memories.writer.replace(SCOPE, current?.etag ?? "", newMemory({ id: "a", text: "new" }), {
        now: NOW,
      });
      await memories.writer.delete(SCOPE, "b", { now: NOW });
      await memories.purge.run(SCOPE, { ...ACTIVE_ONLY, tagsAny: ["c"] }, { now: NOW });
      for (const id of ["x", "y", "z"]) {
        await cache.put(SCOPE, cacheEntry({ id, tags: ["t"] }), { vector, maxEntries: 2, now: NOW });
      }
      const other = { ...SCOPE, namespace: "other" };
      await memories.writer.create(other, items, { now: NOW + DAY });
      await namespaces.delete(other, { now: NOW });
    })();
    await using backend = await open();
    await backend.checked;
    expect(backend.damage()).toEqual([]);
    expect({ errors, warnings, metrics }).toEqual({
      errors: [],
      warnings: [],
      metrics: { damaged: 0, repaired: 0 },
    });
  });

  it("rebuilds a torn index, and the next check finds nothing", async () => {
    await fill();
    for (const index of ["sqlite_autoindex_memory_1", "memory_by_user", "memory_by_time"]) tear(index);
    await (async () => {
      await using backend = await open();
      await backend.checked;
      expect(metrics).toEqual({ damaged: 0, repaired: 3 });
      expect(errors).toHaveLength(1);
      expect(backend.damage()).toHaveLength(3);
      const ids = Array.from({ length: COUNT }, (_, index) => `m${index}`);
      expect((await backend.memories.reader.get(SCOPE, ids, NOW)).map((one) => one?.id)).toEqual(ids);
      expect(await backend.memories.reader.get(SCOPE, ["never"], NOW)).toEqual([undefined]);
      expect(await idsOf(backend, { userId: "u1" })).toHaveLength(133);
      await backend.memories.writer.delete(SCOPE, "m1", { now: NOW });
      await backend.memories.writer.create(SCOPE, [newMemory({ id: "later", userId: "u1" })], { now: NOW });
    })();
    errors = [];
    await using backend = await open();
    await backend.checked;
    expect(backend.damage()).toEqual([]);
    expect(errors).toEqual([]);
    expect(await idsOf(backend, { userId: "u1" })).toHaveLength(133);
  });

  it.each(["memory_terms_data", "memory_terms_docsize"])(
    "rebuilds a torn keyword index (%s)",
    async (tree) => {
      await fill();
      tear(tree);
      await using backend = await open();
      await backend.checked;
      expect(metrics).toEqual({ damaged: 0, repaired: 1 });
      expect(await containing(backend, "marker7")).toEqual(["m7"]);
      await backend.memories.writer.create(SCOPE, [newMemory({ id: "later", text: "unheard" })], {
        now: NOW,
      });
      expect(await containing(backend, "unheard")).toEqual(["later"]);
    },
  );

  it("does not rebuild the keyword index from terms that differ from the memories", async () => {
    await fill();
    tamper(
      "UPDATE memory_terms_content SET c0 = replace(c0, 'marker7 ', 'marker8 ') WHERE c0 LIKE '%marker7 %'",
    );
    await using backend = await open();
    await backend.checked;
    expect(metrics).toEqual({ damaged: 1, repaired: 0 });
    expect(backend.damage()).toHaveLength(1);
  });

  it.each([
    ["rows are missing", "DELETE FROM memory WHERE id = 'm5'"],
    [
      "rows are missing, in their indexes too",
      "DELETE FROM memory WHERE id = 'm5'; DELETE FROM memory_vector",
    ],
    ["a counter is too high", "UPDATE namespace SET memory_count = memory_count + 1"],
    ["an id has changed", "UPDATE memory SET id = 'm5b' WHERE id = 'm5'"],
    ["a state has changed", "UPDATE memory SET state = 'ARCHIVED' WHERE id = 'm5'"],
    ["a namespace is missing", "DELETE FROM namespace"],
  ])("reports STORE_CORRUPT for a missing memory when %s, and serves the rest", async (_, damage) => {
    await fill();
    tamper(damage);
    await using backend = await open();
    await backend.checked;
    expect(metrics.damaged).toBeGreaterThan(0);
    expect(errors).toHaveLength(1);
    const corrupt = { reason: "STORE_CORRUPT" };
    await expect(backend.memories.reader.get(SCOPE, ["never"], NOW)).rejects.toMatchObject(corrupt);
    await expect(backend.memories.writer.delete(SCOPE, "never", { now: NOW })).rejects.toMatchObject(corrupt);
    const replacing = backend.memories.writer.replace(SCOPE, "etag", newMemory({ id: "never" }), {
      now: NOW,
    });
    await expect(replacing).rejects.toMatchObject(corrupt);
    const [created] = await backend.memories.writer.create(SCOPE, [newMemory({ id: "later" })], { now: NOW });
    expect(created).toMatchObject({ kind: "created" });
    expect(await backend.memories.reader.get(SCOPE, ["later"], NOW)).toMatchObject([memory({ id: "later" })]);
  });

  it("reports memories that have lost their vector, and no others", async () => {
    await (async () => {
      await using backend = await open();
      const item = newMemory({ id: "a", embedding: READY }, { vector: unitVector(1, DIMENSION) });
      await backend.memories.writer.create(SCOPE, [item], { now: NOW });
    })();
    tamper("DELETE FROM memory_vector");
    await using backend = await open();
    await backend.checked;
    expect(backend.damage()).toHaveLength(1);
    expect(await backend.memories.reader.get(SCOPE, ["never"], NOW)).toEqual([undefined]);
  });

  it("checks the data of the last run, whatever is written meanwhile", async () => {
    await fill();
    await using backend = await open();
    const items = Array.from({ length: COUNT }, (_, index) => newMemory({ id: `more${index}` }));
    await backend.memories.writer.create(SCOPE, items, { now: NOW });
    await backend.checked;
    expect(backend.damage()).toEqual([]);
    expect(warnings).toEqual([]);
    expect(await idsOf(backend)).toHaveLength(2 * COUNT);
  });

  it("leaves the file locked", async () => {
    await fill();
    await using backend = await open();
    await backend.checked;
    await expect(open()).rejects.toMatchObject({ reason: "STORE_UNAVAILABLE" });
  });

  it("stops with the store, and leaves nothing open", async () => {
    await fill();
    await expectNoLeaks(async () => {
      const backend = await open();
      await backend[Symbol.asyncDispose]();
      await backend.checked;
    });
    expect({ errors, warnings }).toEqual({ errors: [], warnings: [] });
  });
});

describe("a read that meets damage before the check has finished", () => {
  it("makes missing memories STORE_CORRUPT", async () => {
    await fill();
    tear("sqlite_autoindex_memory_1");
    await using backend = await open();
    const before = await Promise.allSettled(
      Array.from({ length: COUNT }, (_, index) => backend.memories.reader.get(SCOPE, [`m${index}`], NOW)),
    );
    expect(before.some(({ status }) => status === "rejected")).toBe(true);
    expect(metrics.damaged).toBe(1);
    await expect(backend.memories.reader.get(SCOPE, ["a-name-before-all"], NOW)).rejects.toMatchObject({
      reason: "STORE_CORRUPT",
    });
    await backend.checked;
    expect(metrics).toEqual({ damaged: 0, repaired: 1 });
    expect(await backend.memories.reader.get(SCOPE, ["a-name-before-all"], NOW)).toEqual([undefined]);
  });
});

describe("a file with paused checkpoints", () => {
  it("does not change during writes, and holds them afterwards", async () => {
    using database = new Database(file());
    let overflows = 0;
    const resume = database.pauseCheckpoints(1, () => {
      overflows += 1;
    });
    const before = readFileSync(file());
    for (const key of ["a", "b"]) await put(database, key);
    expect(readFileSync(file()).equals(before)).toBe(true);
    expect(overflows).toBe(1);
    resume?.();
    expect(database.first("SELECT count(*) AS n FROM meta")).toEqual({ n: 2 });
  });
});

const READY = {
  state: "READY" as const,
  provider: "test",
  model: "random",
  dimension: DIMENSION,
  truncated: false,
};

function put(database: Database, key: string): Promise<void> {
  return database.write(() => {
    database.run("INSERT INTO meta (key, value) VALUES (?, ?)", key, Buffer.alloc(100));
    return { result: undefined };
  });
}
