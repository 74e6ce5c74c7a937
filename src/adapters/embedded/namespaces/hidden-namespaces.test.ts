import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, it } from "vitest";
import { NOW, newMemory, unitVector } from "../../../../test/support/builders.ts";
import { quiet } from "../../../../test/support/quiet.ts";
import { SMALL_RESERVED_SPACE } from "../../../../test/support/small-reserved-space.ts";
import { openEmbeddedBackend } from "../backend.ts";
import { DATABASE_FILE } from "../database/data-directory.ts";
import { Database } from "../database/database.ts";
import { KeywordIndex } from "../keywords/keyword-index.ts";
import { HiddenNamespaces } from "./hidden-namespaces.ts";

const SCOPE = { tenant: "t", namespace: "n" };
const COUNT = 30;

let directory: string;
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), "recollect-hidden-"));
});
afterEach(async () => {
  await rm(directory, { recursive: true });
});

const open = () =>
  openEmbeddedBackend({
    directory,
    embedder: { provider: "test", model: "random", dimension: 8 },
    ...quiet,
    reserved: SMALL_RESERVED_SPACE,
  });

it("a namespace that was hidden before a crash is not found, and the next start removes its rows", async () => {
  const write = async (backend: Awaited<ReturnType<typeof open>>, text: string) => {
    const items = Array.from({ length: COUNT }, (_, index) =>
      newMemory(
        { id: `m${index}`, text: `${text} ${index}`, sessionId: "s" },
        { vector: unitVector(index, 8) },
      ),
    );
    const request = { key: "r", bodyHash: text, expireTime: NOW + 1000 };
    await backend.memories.writer.create(SCOPE, items, { now: NOW, request });
  };
  await (async () => {
    await using backend = await open();
    await write(backend, "old");
  })();
  await (async () => {
    using database = new Database(join(directory, DATABASE_FILE));
    const hidden = new HiddenNamespaces(database, new KeywordIndex(database, quiet.log));
    await database.write(() => ({ result: hidden.hide(1) }));
  })();
  await (async () => {
    await using backend = await open();
    expect(await backend.namespaces.list("t", { after: "", limit: 10 })).toEqual([]);
    expect(await backend.namespaces.counts(SCOPE)).toEqual({ memories: 0, cacheEntries: 0 });
    // The same name and the same request id.
    await write(backend, "new");
    await backend.checked;
    for (let tick = 0; tick < 1000; tick += 1) await new Promise((resolve) => setImmediate(resolve));
    expect((await backend.memories.reader.get(SCOPE, ["m0"], NOW))[0]?.text).toBe("new 0");
    expect(backend.damage()).toEqual([]);
  })();
  using database = new Database(join(directory, DATABASE_FILE));
  const count = (table: string) => database.first(`SELECT count(*) AS n FROM ${table}`)?.["n"];
  expect(["memory", "memory_vector", "memory_terms", "session", "request"].map(count)).toEqual([
    COUNT,
    COUNT,
    COUNT,
    1,
    1,
  ]);
  expect(database.all("SELECT tenant, name FROM namespace")).toEqual([{ tenant: "t", name: "n" }]);
});

it("is removed in steps, with fewer long memories per step", async () => {
  const words = Array.from({ length: 500 }, (_, index) => `w${index}`).join(" ");
  await (async () => {
    await using backend = await open();
    const items = Array.from({ length: COUNT }, (_, index) =>
      newMemory({ id: `m${index}`, text: `${words} ${index}` }, { vector: unitVector(index, 8) }),
    );
    await backend.memories.writer.create(SCOPE, items, { now: NOW });
  })();
  using database = new Database(join(directory, DATABASE_FILE));
  const hidden = new HiddenNamespaces(database, new KeywordIndex(database, quiet.log));
  await database.write(() => {
    database.run("INSERT INTO memory_revision VALUES (1, 'm0', 1, 1, 'what it was')");
    return { result: hidden.hide(1) };
  });
  const left = () => Number(database.first("SELECT count(*) AS n FROM memory")?.["n"]);
  let steps = 0;
  await hidden.clear(() => {
    steps += 1;
    return steps > 1;
  });
  // Of 501 terms of 6 bytes each: 16 KiB are five.
  expect(left()).toBe(COUNT - 5);
  await hidden.clear(() => false);
  expect(left()).toBe(0);
  for (const table of ["namespace", "memory_revision"]) {
    expect(database.all(`SELECT * FROM ${table}`)).toEqual([]);
  }
});
