import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, it } from "vitest";
import { changes, group, run } from "../../../../test/contract/compaction/support.ts";
import { reasonOf } from "../../../../test/contract/store-under-test.ts";
import { NOW, newMemory } from "../../../../test/support/builders.ts";
import { quiet } from "../../../../test/support/quiet.ts";
import { SMALL_RESERVED_SPACE } from "../../../../test/support/small-reserved-space.ts";
import type { Backend } from "../../../ports/backend.ts";
import { openEmbeddedBackend } from "../backend.ts";
import { DATABASE_FILE } from "../database/data-directory.ts";
import { Database } from "../database/database.ts";
import { KeywordIndex } from "../keywords/keyword-index.ts";
import { HiddenNamespaces } from "../namespaces/hidden-namespaces.ts";

const SCOPE = { tenant: "t", namespace: "n" };
const PAGE = { after: 0, limit: 10, maxBytes: 10_000 };

let directory: string;
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), "recollect-compaction-"));
});
afterEach(async () => {
  await rm(directory, { recursive: true });
});

/** Opens the backend, and closes it afterwards. */
async function opened<T>(use: (backend: Backend) => Promise<T>): Promise<T> {
  await using backend = await openEmbeddedBackend({
    directory,
    embedder: { provider: "test", model: "random", dimension: 8 },
    ...quiet,
    reserved: SMALL_RESERVED_SPACE,
  });
  return await use(backend);
}

/** Two runs with two groups each, of two users, whose memories have changed. */
function fill(): Promise<void> {
  return opened(async ({ compactions, memories }) => {
    await memories.writer.create(SCOPE, [newMemory({ id: "a", userId: "ana" })], { now: NOW });
    for (const userId of ["ana", "ben"]) {
      await compactions.start(SCOPE, run({ id: userId, userId }), { now: NOW });
      const lease = await compactions.claim(SCOPE, userId, { owner: "a", now: NOW, until: NOW + 1 });
      const write = { run: run({ id: userId, userId }), version: 1, groups: [group(1), group(2)] };
      await compactions.write(SCOPE, lease ?? { id: "", fence: 0 }, write, { now: NOW });
    }
  });
}

/** Runs statements on the closed file. */
async function damage(...statements: readonly string[]): Promise<void> {
  using database = new Database(join(directory, DATABASE_FILE));
  await database.write(() => {
    for (const statement of statements) database.run(statement);
    return { result: undefined };
  });
}

it("a damaged record is STORE_CORRUPT with what it is of, no harm to others, and can be deleted", async () => {
  await fill();
  await damage(
    `UPDATE compaction_run SET record = replace(record, '"HYBRID"', '"HYBRJD"') WHERE id = 'ana'`,
    `UPDATE compaction_group SET record = replace(record, 'EQUAL_TEXT', 'EQUAL_TEXU')
       WHERE number = 2 AND run = (SELECT row FROM compaction_run WHERE id = 'ben')`,
  );
  await opened(async ({ compactions }) => {
    await expect(compactions.get(SCOPE, "ana")).rejects.toMatchObject({
      reason: "STORE_CORRUPT",
      detail: { metadata: { damaged: "compaction ana" } },
    });
    await expect(compactions.groups(SCOPE, "ben", PAGE)).rejects.toMatchObject({
      reason: "STORE_CORRUPT",
      detail: { metadata: { damaged: "group 2 of a compaction" } },
    });
    expect(await compactions.groups(SCOPE, "ben", { ...PAGE, limit: 1 })).toEqual([group(1)]);
    expect((await compactions.get(SCOPE, "ben"))?.run.id).toBe("ben");
    const again = () => compactions.start(SCOPE, run({ id: "again", userId: "ana" }), { now: NOW });
    expect(await reasonOf(again())).toBe("COMPACTION_RUNNING");
    expect((await compactions.unfinished({ now: NOW + 1, limit: 9 })).map(({ id }) => id)).toEqual([
      "ana",
      "ben",
    ]);
    await compactions.remove(SCOPE, ["ana"]);
    expect((await again()).version).toBe(1);
  });
});

it("a damaged memory stops the write that expects it, and nothing is written", async () => {
  await fill();
  await damage(`UPDATE memory SET record = replace(record, 'fact a', 'fbct a')`);
  await opened(async ({ compactions, memories }) => {
    const lease = await compactions.claim(SCOPE, "ana", { owner: "a", now: NOW + 5, until: NOW + 9 });
    const write = {
      run: run({ id: "ana", userId: "ana", examined: 9 }),
      version: 2,
      changes: changes({ expected: [{ id: "a", etag: "e" }], create: [newMemory({ id: "s" })] }),
    };
    const written = compactions.write(SCOPE, lease ?? { id: "", fence: 0 }, write, { now: NOW });
    expect(await reasonOf(written)).toBe("STORE_CORRUPT");
    expect((await compactions.get(SCOPE, "ana"))?.version).toBe(2);
    expect(await memories.reader.exist(SCOPE, ["s"], NOW)).toEqual([false]);
  });
});

it("nothing of a hidden namespace is found, and its rows are removed", async () => {
  await fill();
  using database = new Database(join(directory, DATABASE_FILE));
  const hidden = new HiddenNamespaces(database, new KeywordIndex(database, quiet.log));
  await database.write(() => {
    hidden.hide(1);
    return { result: undefined };
  });
  const tables = ["compaction_run", "compaction_group", "changed_scope"];
  const count = (table: string) => Number(database.first(`SELECT count(*) AS n FROM ${table}`)?.["n"]);
  expect(tables.map(count)).toEqual([2, 4, 1]);
  await hidden.clear(() => false);
  expect(tables.map(count)).toEqual([0, 0, 0]);
});

it("a namespace that is deleted takes all rows with it", async () => {
  await fill();
  await opened(async ({ compactions, namespaces }) => {
    await compactions.replacePolicy(SCOPE, undefined, {}, { now: NOW });
    await namespaces.delete(SCOPE, { now: NOW });
  });
  using database = new Database(join(directory, DATABASE_FILE));
  for (const table of ["compaction_run", "compaction_group", "compaction_policy", "changed_scope"])
    expect(database.all(`SELECT * FROM ${table}`)).toEqual([]);
});
