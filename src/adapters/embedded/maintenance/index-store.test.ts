import { cpSync, existsSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { NOW, newMemory, unitVector } from "../../../../test/support/builders.ts";
import { quiet } from "../../../../test/support/quiet.ts";
import { SMALL_RESERVED_SPACE } from "../../../../test/support/small-reserved-space.ts";
import type { Backend } from "../../../ports/backend.ts";
import { openEmbeddedBackend } from "../backend.ts";
import { EXACT_LIMIT } from "../vectors/vector-plan.ts";
import { checkFile } from "./file-check.ts";

const SCOPE = { tenant: "t", namespace: "n" };
const DIMENSION = 8;
const PAGE = 4096;
const WHOLE = { damage: [], indexes: [], keywords: false };

let directory: string;
let warnings: string[];
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), "recollect-index-store-"));
  warnings = [];
});
afterEach(async () => {
  await rm(directory, { recursive: true });
});

const open = (at = directory): Promise<Backend> =>
  openEmbeddedBackend({
    directory: at,
    embedder: { provider: "test", model: "random", dimension: DIMENSION },
    ...quiet,
    reserved: SMALL_RESERVED_SPACE,
    graphAbove: EXACT_LIMIT,
    log: { ...quiet.log, warn: (_, message) => void warnings.push(message) },
  });
const fileAt = (at = directory): string => join(at, "recollect.db");

async function fill(backend: Backend, count: number, first = 0): Promise<void> {
  for (let start = first; start < first + count; start += 500) {
    const items = Array.from({ length: Math.min(500, first + count - start) }, (_, index) => {
      const id = `m${start + index}`;
      const text = `word${start + index} and some others that fill a page`;
      return newMemory({ id, text }, { vector: unitVector(start + index, DIMENSION) });
    });
    await backend.memories.writer.create(SCOPE, items, { now: NOW });
  }
}

/** The ids of the best vector match and the best keyword match of this number. */
async function found(backend: Backend, index: number): Promise<(string | undefined)[]> {
  const query = {
    vector: unitVector(index, DIMENSION),
    terms: [`word${index}`],
    filter: { states: ["ACTIVE" as const] },
    limit: 1,
  };
  const { byVector: nearest, byKeyword: containing } = await backend.memories.search.search(
    SCOPE,
    query,
    NOW,
  );
  return [nearest[0]?.id, containing[0]?.id];
}
const both = (index: number): string[] => [`m${index}`, `m${index}`];

const rebuild = (backend: Backend) => backend.indexes.rebuild(new AbortController().signal);

/** Opens the store until the tables of earlier rebuilds are removed. */
async function untilCleared(): Promise<void> {
  await using backend = await open();
  // A rebuild yields first after that, before it has created its own table.
  await rebuild(backend)[Symbol.asyncIterator]().next();
}

/** The findings of the file check, and the tables of a rebuild. */
function look(at = directory): { readonly findings: object; readonly tables: readonly string[] } {
  using sqlite = new DatabaseSync(fileAt(at));
  const tables = sqlite
    .prepare("SELECT name FROM sqlite_schema WHERE name IN ('memory_terms_next', 'memory_terms_old')")
    .all()
    .map(({ name }) => String(name));
  return { findings: checkFile(sqlite), tables };
}

function tamper(sql: string): void {
  using sqlite = new DatabaseSync(fileAt(), { defensive: false, enableForeignKeyConstraints: false });
  sqlite.exec(sql);
}

/** Fills half of a leaf page of this table with noise. */
function tear(tree: string): void {
  const page = (() => {
    using sqlite = new DatabaseSync(fileAt());
    const leaf = sqlite.prepare(
      "SELECT max(pageno) AS page FROM dbstat WHERE name = ? AND pagetype = 'leaf'",
    );
    return Number(leaf.get(tree)?.["page"]);
  })();
  const content = readFileSync(fileAt());
  content.fill(0xa5, PAGE * (page - 1), PAGE * (page - 1) + PAGE / 2);
  writeFileSync(fileAt(), content);
}

describe("a rebuild of the embedded indexes", () => {
  it("leaves an intact file despite concurrent writes, and removes its old tables", async () => {
    await (async () => {
      await using backend = await open();
      await fill(backend, 300);
      let steps = 0;
      for await (const _ of rebuild(backend)) {
        steps += 1;
        await fill(backend, 1, 1000 + steps);
        await backend.memories.writer.delete(SCOPE, `m${10 * steps}`, { now: NOW });
        if (steps === 3) {
          const other = { ...SCOPE, namespace: "other" };
          await backend.memories.writer.create(other, [newMemory({ id: "x" })], { now: NOW });
        }
        if (steps === 5) await backend.namespaces.delete({ ...SCOPE, namespace: "other" }, { now: NOW });
      }
      expect(steps).toBeGreaterThan(5);
    })();
    await untilCleared();
    expect(look()).toEqual({ findings: WHOLE, tables: [] });
    expect(warnings).toEqual([]);
  });

  it.each([1, 2, 5])("that crashes at step %i leaves a store that finds everything", async (step) => {
    const crashed = join(directory, "crashed");
    await (async () => {
      await using backend = await open();
      await fill(backend, 300);
      const running = rebuild(backend)[Symbol.asyncIterator]();
      for (let at = 0; at < step; at += 1) await running.next();
      await fill(backend, 1, 1000);
      // A copy of the files at this moment equals those after a crash.
      cpSync(fileAt(), fileAt(crashed));
      cpSync(`${fileAt()}-wal`, `${fileAt(crashed)}-wal`);
    })();
    if (step > 1) expect(look(crashed).tables).toEqual(["memory_terms_next"]);
    await (async () => {
      await using backend = await open(crashed);
      for (const index of [0, 150, 299, 1000]) expect(await found(backend, index)).toEqual(both(index));
      await fill(backend, 1, 1001);
      for await (const _ of rebuild(backend)) expect(await found(backend, 1001)).toEqual(both(1001));
      for (const index of [0, 150, 299, 1000]) expect(await found(backend, index)).toEqual(both(index));
    })();
    expect(look(crashed).findings).toEqual(WHOLE);
  });

  it("removes the tables of a crashed rebuild after a start", async () => {
    await (async () => {
      await using backend = await open();
      await fill(backend, 300);
    })();
    tamper("CREATE VIRTUAL TABLE memory_terms_next USING fts5 (terms, tokenize = 'ascii')");
    tamper("INSERT INTO memory_terms_next (rowid, terms) SELECT id, c0 FROM memory_terms_content");
    tamper("CREATE VIRTUAL TABLE memory_terms_old USING fts5 (terms, tokenize = 'ascii')");
    expect(look().tables).toEqual(["memory_terms_next", "memory_terms_old"]);
    await untilCleared();
    expect(look()).toEqual({ findings: WHOLE, tables: [] });
  });

  it("repairs a damaged index, and restores the lost terms of a memory", async () => {
    await (async () => {
      await using backend = await open();
      await fill(backend, 300);
    })();
    tamper("DELETE FROM memory_terms_content WHERE id = 7");
    tear("memory_terms_data");
    await (async () => {
      await using backend = await open();
      for await (const _ of rebuild(backend));
      for (const index of [0, 6, 150, 299]) expect(await found(backend, index)).toEqual(both(index));
    })();
    // The damaged table, which cannot be dropped, is removed too.
    await untilCleared();
    expect(look()).toEqual({ findings: WHOLE, tables: [] });
  });
});

describe("a rebuild of a vector graph", () => {
  const COUNT = EXACT_LIMIT + 300;
  const graph = (): string => join(directory, "vectors", "1.usearch");
  const sealed = (): number =>
    (JSON.parse(readFileSync(`${graph()}.seal.json`, "utf8")) as { readonly count: number }).count;

  it("serves from the old one until the new one is complete, then from the new one", async () => {
    await (async () => {
      await using backend = await open();
      await fill(backend, COUNT);
      expect(await found(backend, 7)).toEqual(both(7));
      let fresh = COUNT;
      for await (const { indexedCount, totalCount } of rebuild(backend)) {
        expect(indexedCount).toBeLessThanOrEqual(totalCount);
        if (indexedCount < COUNT) continue;
        await fill(backend, 1, fresh);
        await backend.memories.writer.delete(SCOPE, `m${fresh - COUNT + 100}`, { now: NOW });
        expect(await found(backend, fresh)).toEqual(both(fresh));
        expect((await found(backend, fresh - COUNT + 100))[0]).not.toBe(`m${fresh - COUNT + 100}`);
        expect(await found(backend, 7)).toEqual(both(7));
        fresh += 1;
      }
      expect(fresh).toBeGreaterThan(COUNT + 2);
      for (const index of [7, 99, COUNT - 1, fresh - 1])
        expect(await found(backend, index)).toEqual(both(index));
      expect(await backend.indexes.info()).toMatchObject([{ algorithm: "HNSW" }, { algorithm: "FLAT" }]);
    })();
    expect(sealed()).toBeGreaterThan(EXACT_LIMIT);
  });

  it("that no search has opened is saved to disk, and does not stay in memory", async () => {
    await (async () => {
      await using backend = await open();
      await fill(backend, COUNT);
    })();
    expect(existsSync(graph())).toBe(false);
    await (async () => {
      await using backend = await open();
      for await (const _ of rebuild(backend));
      expect((await backend.indexes.info())[0]).toMatchObject({ documentCount: COUNT, memoryBytes: 0 });
      expect(sealed()).toBeGreaterThan(COUNT - 100);
      const saved = statSync(graph()).mtimeMs;
      expect(await found(backend, 7)).toEqual(both(7));
      expect((await backend.indexes.info())[0]?.memoryBytes).toBeGreaterThan(COUNT * DIMENSION * 4);
      expect(statSync(graph()).mtimeMs).toBe(saved);
    })();
    expect(warnings).toEqual([]);
  });

  it("stops when its namespace is deleted, and leaves nothing of it", async () => {
    await using backend = await open();
    await fill(backend, COUNT);
    expect(await found(backend, 7)).toEqual(both(7));
    let isDeleted = false;
    for await (const { indexedCount } of rebuild(backend)) {
      if (indexedCount <= COUNT || isDeleted) continue;
      await backend.namespaces.delete(SCOPE, { now: NOW });
      isDeleted = true;
    }
    expect(isDeleted).toBe(true);
    expect(await found(backend, 7)).toEqual([undefined, undefined]);
    expect((await backend.indexes.info())[0]).toMatchObject({ documentCount: 0, memoryBytes: 0 });
  });
});
