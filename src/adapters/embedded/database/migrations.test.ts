import { readFileSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import {
  cacheEntry,
  DAY,
  idempotentRequest,
  memory,
  NOW,
  newMemory,
  unitVector,
} from "../../../../test/support/builders.ts";
import { quiet } from "../../../../test/support/quiet.ts";
import { SMALL_RESERVED_SPACE } from "../../../../test/support/small-reserved-space.ts";
import { openEmbeddedBackend } from "../backend.ts";
import { encodeRecord } from "./checksums.ts";
import { FORMAT, MIGRATIONS, migrate } from "./migrations.ts";

const FIXTURE = join(import.meta.dirname, "../../../../test/fixtures/embedded-format-1.sql");
const SCOPE = { tenant: "t", namespace: "n" };

let directory: string;
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), "recollect-migrations-"));
});
afterEach(async () => {
  await rm(directory, { recursive: true });
});

const file = (): string => join(directory, "recollect.db");

function writeFixture(): void {
  using sqlite = new DatabaseSync(file());
  sqlite.exec(readFileSync(FIXTURE, "utf8"));
}

const open = () =>
  openEmbeddedBackend({
    directory,
    embedder: { provider: "fixture", model: "random", dimension: 4 },
    ...quiet,
    reserved: SMALL_RESERVED_SPACE,
  });

/** The statements that created each table, index and trigger. */
function schemaOf(sqlite: DatabaseSync): unknown[] {
  return sqlite.prepare("SELECT type, name, tbl_name, sql FROM sqlite_schema ORDER BY type, name").all();
}

function formatOf(sqlite: DatabaseSync): unknown {
  return sqlite.prepare("PRAGMA user_version").get()?.["user_version"];
}

describe("the steps", () => {
  it("lead from an empty file to the format of this program", () => {
    expect(MIGRATIONS.map(({ from }) => from)).toEqual(MIGRATIONS.map((_, index) => index));
    expect(MIGRATIONS.map(({ to }) => to)).toEqual(MIGRATIONS.map((_, index) => index + 1));
    expect(MIGRATIONS.at(-1)?.to).toBe(FORMAT);
  });

  it("give an old file and a new one the same schema", () => {
    writeFixture();
    using old = new DatabaseSync(file());
    using fresh = new DatabaseSync(":memory:");
    expect(migrate(old)).toBe(1);
    expect(migrate(fresh)).toBe(0);
    expect(schemaOf(old)).toEqual(schemaOf(fresh));
    expect(formatOf(old)).toBe(FORMAT);
  });

  it("give the memories of format 5 what as_of filters by, from their records", async () => {
    const memories = [
      memory({ id: "active", updateTime: NOW + 5 }),
      memory({ id: "superseded", state: "SUPERSEDED", supersededBy: "active", updateTime: NOW + 5 }),
      memory({ id: "bounded", validFrom: NOW + 2, validUntil: NOW + 7 }),
    ];
    {
      using old = new DatabaseSync(file());
      for (const { sql } of MIGRATIONS.filter(({ to }) => to <= 5)) old.exec(sql);
      old.exec(`PRAGMA user_version = 5;
        INSERT INTO namespace (namespace_id, tenant, name, memory_count) VALUES (1, 't', 'n', 4)`);
      const insert =
        old.prepare(`INSERT INTO memory (namespace_id, id, record, kind, state, user_id, agent_id, session_id,
        author, importance, pinned, create_time, duplicate_key, term_count)
        VALUES (1, ?, ?, 'SEMANTIC', ?, '', '', '', '', 0.5, 0, ?, ?, 0)`);
      for (const one of memories) insert.run(one.id, encodeRecord(one), one.state, one.createTime, one.id);
      insert.run("damaged", "what was once a record", "ARCHIVED", NOW, "damaged");
      migrate(old);
      const columns = old.prepare("SELECT id, ended, valid_from, valid_until FROM memory ORDER BY row").all();
      expect(columns.map((row) => Object.values(row))).toEqual([
        ["active", null, null, null],
        ["superseded", NOW + 5, null, null],
        ["bounded", null, NOW + 2, NOW + 7],
        ["damaged", null, null, null],
      ]);
    }
  });

  it("run once", () => {
    using sqlite = new DatabaseSync(":memory:");
    migrate(sqlite);
    expect(migrate(sqlite)).toBe(FORMAT);
  });

  it("refuse a file of a newer program, and leave it unchanged", async () => {
    await (async () => {
      await using _ = await open();
    })();
    const newer = FORMAT + 1;
    {
      using sqlite = new DatabaseSync(file());
      sqlite.exec(`PRAGMA user_version = ${newer}`);
    }
    await expect(open()).rejects.toMatchObject({ reason: "STORE_UNAVAILABLE" });
    using sqlite = new DatabaseSync(file());
    expect(formatOf(sqlite)).toBe(newer);
  });
});

describe("a file of format 1", () => {
  it("reads as it was written", async () => {
    writeFixture();
    await using backend = await open();
    const { memories, cache, namespaces, secret, pendingMemories } = backend;
    const written = [
      newMemory({ id: "plain", text: "Ana is allergic to nuts" }),
      newMemory({
        id: "rich",
        text: "The train to Lisbon leaves at nine",
        userId: "ana",
        agentId: "bot",
        sessionId: "s1",
        sessionPosition: 1,
        author: "Bo",
        role: "user",
        kind: "MESSAGE",
        tags: ["travel", "work"],
        metadata: { where: { city: "Lisbon" }, level: 1 },
        importance: 0.9,
        pinned: true,
        eventTime: NOW - DAY,
        expireTime: NOW + 365 * DAY,
      }),
      newMemory({ id: "put-aside", text: "An old address", state: "ARCHIVED" }),
    ].map((one) => one.memory);
    expect(await memories.reader.get(SCOPE, ["plain", "rich", "put-aside"], NOW)).toMatchObject(written);
    expect(await memories.search.vectors(SCOPE, ["plain", "rich", "put-aside"])).toEqual([
      unitVector(1, 4),
      unitVector(2, 4),
      undefined,
    ]);
    const travel = { states: ["ACTIVE" as const], tagsAny: ["travel"], userId: "ana" };
    const listed = await memories.reader.list(SCOPE, { filter: travel, limit: 10, now: NOW });
    expect(listed.map(({ id }) => id)).toEqual(["rich"]);
    const asOf = async (time: number): Promise<string[]> => {
      const filter = { states: ["ACTIVE" as const], asOf: time };
      return (await memories.reader.list(SCOPE, { filter, limit: 10, now: NOW })).map(({ id }) => id);
    };
    expect((await asOf(NOW)).toSorted()).toEqual(["plain", "rich"]);
    expect(await asOf(NOW - 1)).toEqual([]);
    const query = {
      vector: unitVector(1, 4),
      terms: ["lisbon"],
      filter: { states: ["ACTIVE" as const] },
      limit: 1,
    };
    const found = await memories.search.search(SCOPE, query, NOW);
    expect(found.byVector.map(({ id }) => id)).toEqual(["plain"]);
    expect(found.byKeyword.map(({ id }) => id)).toEqual(["rich"]);
    expect(found.corpus.documentCount).toBe(3);
    // Its analysis is not migrated, so it is found by exact match only.
    const { analysis, knowledge: _knowledge, ...entry } = cacheEntry({ tags: ["faq"] });
    const { notation, writing: _, ...older } = analysis;
    expect(notation).toEqual([]);
    const { exact } = await cache.lookup(SCOPE, { id: "e1" }, NOW);
    expect(exact).toEqual({ ...entry, analysis: { ...older, version: 1 } });
    // Its knowledge version is not known, so any invalidates it; its model and tags are.
    expect(await cache.countMatching(SCOPE, { knowledge: "5".repeat(32) }, NOW)).toBe(1);
    expect(await cache.countMatching(SCOPE, { tagsAny: ["other"] }, NOW)).toBe(0);
    expect(await cache.countMatching(SCOPE, { model: "a-model", tagsAny: ["faq"] }, NOW)).toBe(1);
    expect(await cache.stats(SCOPE, NOW)).toMatchObject({ entryCount: 1, exactHits: 1, stores: 1 });
    expect(await namespaces.counts(SCOPE)).toEqual({ memories: 3, cacheEntries: 1 });
    expect(secret.read().export()).toEqual(Buffer.alloc(32, 7));
    const pending = await pendingMemories.pending({ limit: 10, maxBytes: 1e6, skip: 0, now: NOW });
    expect(pending.map(({ id }) => id)).toEqual(["put-aside"]);
  });

  it("continues its sessions, replays its requests, and accepts new memories", async () => {
    writeFixture();
    await using backend = await open();
    const [next] = await backend.memories.writer.create(SCOPE, [newMemory({ id: "next", sessionId: "s1" })], {
      now: NOW,
    });
    expect(next).toMatchObject({ kind: "created", memory: { sessionPosition: 2 } });
    const repeated = await backend.memories.writer.create(SCOPE, [newMemory({ id: "other" })], {
      now: NOW,
      request: idempotentRequest(),
    });
    expect(repeated.map((one) => one.kind === "created" && one.memory.id)).toEqual([
      "plain",
      "rich",
      "put-aside",
    ]);
  });

  it("has no duplicates of new memories until its own are replaced", async () => {
    writeFixture();
    await using backend = await open();
    const text = "Ana is allergic to nuts";
    const onDuplicate = "RETURN_EXISTING" as const;
    const write = (id: string) =>
      backend.memories.writer.create(SCOPE, [newMemory({ id, text }, { onDuplicate })], { now: NOW });
    expect((await write("new")).map(({ kind }) => kind)).toEqual(["created"]);
    await backend.memories.writer.delete(SCOPE, "new", { now: NOW });
    const [old] = await backend.memories.reader.get(SCOPE, ["plain"], NOW);
    const corrected = newMemory({ id: "plain", text, importance: 1 });
    await backend.memories.writer.replace(SCOPE, old?.etag ?? "", corrected, { now: NOW });
    expect(await write("newer")).toMatchObject([
      { kind: "duplicate", memory: { id: "plain" }, differs: ["importance"] },
    ]);
  });
});
