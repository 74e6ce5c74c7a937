import { spawnSync } from "node:child_process";
import { mkdirSync, readFileSync, statSync, truncateSync, writeFileSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { createClient } from "@connectrpc/connect";
import { createGrpcTransport } from "@connectrpc/connect-node";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { CacheService } from "#gen/recollect/v1/cache_pb.js";
import { MemoryService, SearchMemoriesRequest_Mode as Mode } from "#gen/recollect/v1/memory_pb.js";
import { refusalOf } from "../support/errors.ts";
import { scale, seededInteger } from "../support/scale.ts";
import { startApp, type TestApp } from "../support/start-app.ts";
import { startProcess } from "../support/start-process.ts";

const BATCH = 20;

/** Unrelated texts, so that each is the nearest to itself. */
function textOf(run: number, index: number): string {
  return `run${run} number${index} ${(run * 7919 + index * 104_729).toString(36)} ${(index * 15_485_863 + run).toString(36)}`;
}

describe("the embedded store, killed in the middle of a bulk import", () => {
  it("has every acknowledged memory once, and finds it by vector and by keyword", async () => {
    const next = seededInteger(2026);
    const dataDir = await mkdtemp(join(tmpdir(), "recollect-kill-"));
    const acknowledged = new Map<string, string>();
    for (let run = 0; run < scale(3, 20); run += 1) {
      await using server = await startProcess({ DATA_DIR: dataDir });
      const { grpc } = JSON.parse(await server.lineWith('"serving"')) as { grpc: string };
      const memory = createClient(MemoryService, createGrpcTransport({ baseUrl: `http://${grpc}` }));
      const killAfter = 1 + next(15);
      let batches = 0;
      const importBatch = async (start: number): Promise<void> => {
        const memories = Array.from({ length: BATCH }, (_, index) => ({
          id: `r${run}-${start + index}`,
          text: textOf(run, start + index),
        }));
        const { results } = await memory.batchCreateMemories({ memories });
        for (const { outcome } of results) {
          if (outcome.case === "memory") acknowledged.set(outcome.value.id, outcome.value.text);
        }
        batches += 1;
        if (batches === killAfter) server.process.kill("SIGKILL");
      };
      // Four concurrent writers, until the server is killed.
      const writers = Array.from({ length: 4 }, async (_, writer) => {
        for (let step = 0; step < 100; step += 1) await importBatch((step * 4 + writer) * BATCH);
      });
      const ends = await Promise.allSettled(writers);
      expect(ends.every(({ status }) => status === "rejected")).toBe(true);
      await server.exited;
    }

    await using app = await startApp({ dataDir });
    const stored = new Map<string, string>();
    for (let pageToken = "", first = true; first || pageToken !== ""; first = false) {
      const page = await app.memory.listMemories({ pageSize: 1000, pageToken });
      for (const { id, text } of page.memories) {
        expect(stored.has(id)).toBe(false);
        stored.set(id, text);
      }
      pageToken = page.nextPageToken;
    }
    for (const [id, text] of acknowledged) expect(stored.get(id)).toBe(text);
    // A batch is stored completely or not at all, acknowledged or not.
    expect(stored.size % BATCH).toBe(0);
    for (const mode of [Mode.VECTOR, Mode.KEYWORD]) {
      for (const [id, text] of [...acknowledged].filter((_, index) => index % 37 === 0)) {
        const found = await app.memory.searchMemories({
          query: { by: { case: "text", value: text } },
          mode,
          limit: 1,
        });
        expect(found.results[0]?.memory?.id).toBe(id);
      }
    }
    await rm(dataDir, { recursive: true, force: true });
  });
});

describe("the embedded store, damaged on disk", () => {
  let dataDir = "";
  beforeEach(async () => {
    dataDir = await mkdtemp(join(tmpdir(), "recollect-damage-"));
  });
  afterEach(async () => {
    await rm(dataDir, { recursive: true, force: true });
  });

  const file = (): string => join(dataDir, "recollect.db");

  async function fill(count: number): Promise<void> {
    await using app = await startApp({ dataDir });
    for (let start = 0; start < count; start += 100) {
      await app.memory.batchCreateMemories({
        memories: Array.from({ length: 100 }, (_, index) => ({
          id: `m${start + index}`,
          text: `marker${start + index} ${"filler ".repeat(20)}`,
        })),
      });
    }
  }

  it("reports a memory with a flipped bit as damaged, still deletes it, and reads other memories", async () => {
    await fill(100);
    const content = readFileSync(file());
    // Every copy of the text: the record and the full-text index.
    const marks = [...content.toString("latin1").matchAll(/"text":"marker42 /g)];
    expect(marks).toHaveLength(1);
    const place = (marks[0]?.index ?? 0) + '"text":"marker'.length;
    content[place] = (content[place] ?? 0) ^ 1;
    writeFileSync(file(), content);

    await using app = await startApp({ dataDir });
    const damaged = { code: "DataLoss", reason: "STORE_CORRUPT", metadata: { damaged: "memory m42" } };
    expect(await refusalOf(app.memory.getMemory({ id: "m42" }))).toMatchObject(damaged);
    expect(await refusalOf(app.memory.listMemories({ pageSize: 1000 }))).toMatchObject({
      reason: "STORE_CORRUPT",
    });
    expect((await app.memory.getMemory({ id: "m41" })).memory?.text).toContain("marker41");
    await app.memory.deleteMemory({ id: "m42" });
    expect((await app.memory.listMemories({ pageSize: 1000 })).memories).toHaveLength(99);
  });

  describe("in a torn page", () => {
    const COUNT = 300;
    const PAGE = 4096;

    /** Content of the first half of a torn page: zeros, noise, or another page. */
    function tear(content: Buffer, page: number, next: (limit: number) => number): void {
      const start = PAGE * page;
      const half = PAGE / 2;
      const kind = next(3);
      if (kind === 0) content.fill(next(256), start, start + half);
      else if (kind === 1) for (let at = start; at < start + half; at += 1) content[at] = next(256);
      else {
        const source = PAGE * (1 + next(content.length / PAGE - 1));
        content.copy(content, start, source, source + half);
      }
    }

    async function damageOf(app: TestApp): Promise<string[]> {
      const { warnings } = (await (await fetch(`${app.httpUrl}/ready`)).json()) as { warnings: string[] };
      return warnings.filter((warning) => warning.includes("damaged on disk"));
    }

    /** Without a reported error all data must be complete. */
    async function expectWhole(app: TestApp): Promise<void> {
      const { memories } = await app.memory.listMemories({ pageSize: 1000 });
      expect(memories).toHaveLength(COUNT);
      const tagged = await app.memory.listMemories({ pageSize: 1000, filter: { tagsAny: ["t3"] } });
      expect(tagged.memories).toHaveLength(COUNT / 5);
      const ofUser = await app.memory.listMemories({ pageSize: 1000, filter: { userId: "u1" } });
      expect(ofUser.memories).toHaveLength(COUNT / 3);
      for (const mode of [Mode.KEYWORD, Mode.VECTOR]) {
        for (const index of [0, 149, 299]) {
          const query = { by: { case: "text" as const, value: textOf(0, index) } };
          const { results } = await app.memory.searchMemories({ query, mode, limit: 1 });
          expect(results[0]?.memory?.id).toBe(`m${index}`);
        }
      }
    }

    it("never hides or changes a memory, once the file has been checked", async () => {
      await (async () => {
        await using app = await startApp({ dataDir });
        for (let start = 0; start < COUNT; start += 100) {
          const memories = Array.from({ length: 100 }, (_, offset) => start + offset).map((index) => ({
            id: `m${index}`,
            text: textOf(0, index),
            userId: `u${index % 3}`,
            sessionId: `s${index % 7}`,
            tags: [`t${index % 5}`],
            metadata: { index },
          }));
          await app.memory.batchCreateMemories({ memories });
        }
      })();
      const pristine = readFileSync(file());
      const next = seededInteger(99);
      const seen = { refused: 0, reported: 0, repaired: 0, whole: 0 };
      for (let run = 0; run < scale(12, 100); run += 1) {
        const content = Buffer.from(pristine);
        tear(content, 1 + next(content.length / PAGE - 1), next);
        writeFileSync(file(), content);
        let app: TestApp;
        try {
          app = await startApp({ dataDir });
        } catch (error) {
          // Damage to essential data: the start is refused, with the reason.
          expect(error).toMatchObject({ reason: "STORE_CORRUPT" });
          seen.refused += 1;
          continue;
        }
        await using _ = app;
        await app.checked;
        for (let index = 0; index < COUNT; index += 1) {
          try {
            const { memory } = await app.memory.getMemory({ id: `m${index}` });
            expect(memory?.text).toBe(textOf(0, index));
          } catch (error) {
            expect(await refusalOf(Promise.reject(error))).toMatchObject({ reason: "STORE_CORRUPT" });
            expect(await damageOf(app)).not.toEqual([]);
          }
        }
        const damage = await damageOf(app);
        if (damage.some((line) => line.startsWith("damaged on disk"))) {
          seen.reported += 1;
          const metrics = await (await fetch(`${app.httpUrl}/metrics`)).text();
          expect(metrics).toMatch(/^recollect_store_damaged_parts(\{\})? [1-9]/m);
          continue;
        }
        seen[damage.length > 0 ? "repaired" : "whole"] += 1;
        await expectWhole(app);
      }
      expect(seen.reported).toBeGreaterThan(0);
      expect(seen.repaired).toBeGreaterThan(0);
    });
  });

  it("refuses to start on a file that is no database", async () => {
    mkdirSync(dataDir, { recursive: true });
    writeFileSync(file(), Buffer.alloc(8192, 7));
    await expect(startApp({ dataDir })).rejects.toMatchObject({ reason: "STORE_CORRUPT" });
  });

  it("starts on a truncated file, or reports why it cannot", async () => {
    await fill(100);
    truncateSync(file(), Math.floor(statSync(file()).size / 2 / 4096) * 4096);
    await expect(
      (async () => {
        await using app = await startApp({ dataDir });
        await app.memory.getMemory({ id: "m1" });
      })(),
    ).rejects.toMatchObject({ message: expect.stringMatching(/damaged/) });
  });
});

/** A small disk needs mount rights; without them this test is skipped. */
const canMount = process.getuid?.() === 0 && process.platform === "linux" && smallDiskWorks();

function smallDiskWorks(): boolean {
  const place = join(tmpdir(), `recollect-mount-${process.pid}`);
  mkdirSync(place, { recursive: true });
  const works = spawnSync("mount", ["-t", "tmpfs", "-o", "size=1m", "tmpfs", place]).status === 0;
  if (works) spawnSync("umount", [place]);
  return works;
}

describe.runIf(canMount)("the embedded store on a full disk", () => {
  it("rejects writes with STORE_FULL, loses nothing, still reads, and writes again once space is free", async () => {
    const disk = await mkdtemp(join(tmpdir(), "recollect-full-"));
    expect(spawnSync("mount", ["-t", "tmpfs", "-o", "size=3m", "tmpfs", disk]).status).toBe(0);
    try {
      await using app = await startApp({ dataDir: disk });
      const acknowledged: string[] = [];
      let refusal: Awaited<ReturnType<typeof refusalOf>> | undefined;
      for (let index = 0; refusal === undefined && index < 200; index += 1) {
        const memory = { id: `m${index}`, text: `${index} ${"x".repeat(50_000)}` };
        try {
          await app.memory.createMemory({ memory });
          acknowledged.push(memory.id);
        } catch (error) {
          refusal = await refusalOf(Promise.reject(error));
        }
      }
      expect(refusal).toMatchObject({ code: "ResourceExhausted", reason: "STORE_FULL" });
      expect(acknowledged.length).toBeGreaterThan(0);
      for (const id of acknowledged) {
        expect((await app.memory.getMemory({ id })).memory?.id).toBe(id);
      }
      expect(spawnSync("mount", ["-o", "remount,size=20m", disk]).status).toBe(0);
      await app.memory.createMemory({ memory: { id: "later", text: "there is room again" } });
      expect((await app.memory.getMemory({ id: "later" })).memory?.text).toBe("there is room again");
    } finally {
      spawnSync("umount", ["-l", disk]);
      await rm(disk, { recursive: true, force: true });
    }
  });
});

describe("the embedded store, killed while it stores answers in a full namespace", () => {
  it("is within its bounds, and every entry has its score and is counted", async () => {
    const BOUND = 40;
    const next = seededInteger(2027);
    const dataDir = await mkdtemp(join(tmpdir(), "recollect-kill-"));
    for (let run = 0; run < scale(2, 20); run += 1) {
      await using server = await startProcess({ DATA_DIR: dataDir, CACHE_MAX_ENTRIES: String(BOUND) });
      const { grpc } = JSON.parse(await server.lineWith('"serving"')) as { grpc: string };
      const cache = createClient(CacheService, createGrpcTransport({ baseUrl: `http://${grpc}` }));
      const killAfter = 2 * BOUND + next(60);
      let stored = 0;
      const writers = Array.from({ length: 8 }, async (_, writer) => {
        for (let serial = 0; ; serial += 1) {
          await cache.storeCacheEntry({
            prompt: { prompt: { case: "text", value: `Question ${run}-${writer}-${serial}` } },
            origin: { case: "scope", value: { model: "m" } },
            response: "a".repeat(1 + next(200)),
            ttl: { seconds: BigInt(1 + next(3600)) },
          });
          stored += 1;
          if (stored === killAfter) server.process.kill("SIGKILL");
        }
      });
      const ends = await Promise.allSettled(writers);
      expect(ends.every(({ status }) => status === "rejected")).toBe(true);
      await server.exited;

      using sqlite = new DatabaseSync(join(dataDir, "recollect.db"));
      const one = (sql: string): Record<string, unknown> => sqlite.prepare(sql).get() ?? {};
      const { entries, bytes } = one("SELECT count(*) AS entries, sum(bytes) AS bytes FROM cache_entry");
      // Expired ones may have been removed.
      expect(entries).toBeLessThanOrEqual(BOUND);
      expect(entries).toBeGreaterThan(BOUND / 2);
      expect(one("SELECT entry_count, byte_count, remembered_count FROM cache_counter")).toEqual({
        entry_count: entries,
        byte_count: bytes,
        remembered_count: one("SELECT count(*) AS ids FROM cache_remembered")["ids"],
      });
      expect(
        one(
          "SELECT count(*) AS scored FROM cache_entry_use u JOIN cache_entry e ON e.row = u.row WHERE u.uses > 0",
        ),
      ).toEqual({ scored: entries });
      expect(
        one("SELECT count(*) AS both FROM cache_entry JOIN cache_remembered USING (namespace_id, id)"),
      ).toEqual({
        both: 0,
      });
    }
    await rm(dataDir, { recursive: true, force: true });
  });
});
