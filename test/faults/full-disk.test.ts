import { statSync } from "node:fs";
import { rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { openEmbeddedBackend } from "../../src/adapters/embedded/backend.ts";
import { RESERVED_BYTES, RESERVED_SIZES } from "../../src/domain/disk-space.ts";
import { NOW, newMemory, unitVector } from "../support/builders.ts";
import { refusalOf } from "../support/errors.ts";
import { quiet } from "../support/quiet.ts";
import { canMount, smallDisk } from "../support/small-disk.ts";
import { startApp, type TestApp } from "../support/start-app.ts";
import { startProcess } from "../support/start-process.ts";

const MIB = 1024 * 1024;
const FULL = { code: "ResourceExhausted", reason: "STORE_FULL" };

/** Long enough for overflow pages, and with unique words. */
const textOf = (name: string): string => `${name} ${`${name}x `.repeat(300)}`;

/** With the disk reserve of production. */
function startOn(disk: { readonly directory: string }): Promise<TestApp> {
  return startApp({ dataDir: disk.directory, overrides: { reserved: RESERVED_SIZES } });
}

async function readiness(app: TestApp): Promise<{ readonly ready: boolean; readonly warnings: string }> {
  const response = await fetch(`${app.httpUrl}/ready`);
  const { warnings } = (await response.json()) as { readonly warnings: readonly string[] };
  return { ready: response.ok, warnings: warnings.join("\n") };
}

async function metric(app: TestApp, name: string): Promise<number> {
  const page = await (await fetch(`${app.httpUrl}/metrics`)).text();
  return Number(new RegExp(`^${name}(?:\\{\\})? (\\d+)`, "m").exec(page)?.[1]);
}

async function createBatch(app: TestApp, namespace: string, first: number, count: number): Promise<void> {
  for (let start = first; start < first + count; start += 100) {
    const memories = Array.from({ length: 100 }, (_, index) => ({
      id: `m${start + index}`,
      text: textOf(`${namespace}${start + index}`),
      tags: [`t${(start + index) % 2}`],
    }));
    await app.memory.batchCreateMemories({ namespace, memories });
  }
}

async function countOf(app: TestApp, namespace: string): Promise<number> {
  return (await app.memory.listMemories({ namespace, pageSize: 1000 })).memories.length;
}

async function storeAnswer(app: TestApp, prompt: string): Promise<string> {
  const { entry } = await app.cache.storeCacheEntry({
    namespace: "answers",
    prompt: { prompt: { case: "text", value: prompt } },
    origin: { case: "scope", value: { model: "m" } },
    response: "yes",
  });
  return entry?.id ?? "";
}

/** Writes until a refusal, and returns the number of successful writes. */
async function writeUntilFull(app: TestApp, namespace: string): Promise<number> {
  for (let written = 0; written < 10_000; written += 1) {
    try {
      await app.memory.createMemory({
        namespace,
        memory: { id: `f${written}`, text: textOf(`fill${written}`) },
      });
    } catch (error) {
      expect(await refusalOf(Promise.reject(error))).toMatchObject(FULL);
      return written;
    }
  }
  throw new Error("the disk never was full");
}

describe.runIf(canMount("tmpfs"))("the embedded store on a full disk", () => {
  it("deletes memories, cache entries and namespaces, purges, and writes into the freed space", async () => {
    await using disk = await smallDisk("tmpfs", 96);
    const kept = join(disk.directory, "space-for-deletions");
    await using app = await startOn(disk);
    expect(statSync(kept).size).toBe(RESERVED_BYTES);
    for (const namespace of ["many", "few"]) await createBatch(app, namespace, 0, 500);
    const answers = [await storeAnswer(app, "first question"), await storeAnswer(app, "another matter")];
    expect((await readiness(app)).warnings).not.toContain("kept back");

    disk.fill(2 * MIB);
    await writeUntilFull(app, "many");
    disk.fill(0);
    expect(await metric(app, "recollect_store_free_bytes")).toBeLessThan(MIB);
    expect(await metric(app, "recollect_store_kept_bytes")).toBe(RESERVED_BYTES);
    const before = await countOf(app, "few");
    expect(before).toBe(500);
    expect((await readiness(app)).warnings).toMatch(/the disk of DATA_DIR has \d+ MiB free of 96 MiB/);

    await app.memory.deleteMemory({ namespace: "few", id: "m0" });
    expect(await refusalOf(app.memory.getMemory({ namespace: "few", id: "m0" }))).toMatchObject({
      reason: "MEMORY_NOT_FOUND",
    });
    disk.fill(0);
    await app.cache.deleteCacheEntry({ namespace: "answers", id: answers[0] ?? "" });
    disk.fill(0);
    const purged = await app.memory.purgeMemories({
      namespace: "few",
      filter: { tagsAny: ["t1"] },
      force: true,
    });
    expect(purged.count).toBe(250);
    expect(await countOf(app, "few")).toBe(249);
    const { ready, warnings } = await readiness(app);
    expect(ready).toBe(true);
    expect(warnings).toContain("new data goes only into space that deletions have freed");
    // Other writers have freed some space; not enough for the file to grow.
    disk.empty();
    disk.fill(10 * MIB);
    // Freed space is reused repeatedly, and the reserve does not shrink.
    const least = statSync(kept).size;
    expect(least).toBeGreaterThanOrEqual(RESERVED_BYTES / 2);
    for (let round = 0; round < 10; round += 1) {
      await createBatch(app, "again", 0, 100);
      expect(await countOf(app, "again")).toBe(100);
      expect(await writeUntilFull(app, "again")).toBeGreaterThan(0);
      const { memoryCount } = await app.memory.deleteNamespace({ namespace: "again", force: true });
      expect(memoryCount).toBeGreaterThan(100);
      expect(await countOf(app, "again")).toBe(0);
      expect(statSync(kept).size).toBeGreaterThanOrEqual(least);
    }
    expect(await countOf(app, "few")).toBe(249);

    disk.empty();
    await createBatch(app, "later", 0, 500);
    expect(await countOf(app, "later")).toBe(500);
    expect(statSync(kept).size).toBe(RESERVED_BYTES);
    expect((await readiness(app)).warnings).not.toMatch(/space that deletions have freed|DATA_DIR reserves/);
    expect((await app.cache.getCacheEntry({ namespace: "answers", id: answers[1] ?? "" })).entry?.id).toBe(
      answers[1],
    );
  });

  it("starts, reads and deletes, and has every acknowledged write", async () => {
    await using disk = await smallDisk("tmpfs", 64);
    await (async () => {
      await using app = await startOn(disk);
      await createBatch(app, "n", 0, 200);
      disk.fill(MIB);
      await writeUntilFull(app, "n");
      disk.fill(0);
    })();
    disk.fill(0);
    await using app = await startOn(disk);
    await app.checked;
    await app.memory.deleteMemory({ namespace: "n", id: "m7" });
    for (const id of ["m0", "m199"]) {
      expect((await app.memory.getMemory({ namespace: "n", id })).memory?.text).toBe(
        textOf(`n${id.slice(1)}`),
      );
    }
    expect(
      (await app.memory.purgeMemories({ namespace: "n", filter: { tagsAny: ["t0"] }, force: true })).count,
    ).toBe(100);
  });

  it("deletes a namespace larger than the disk reserve, immediately for all callers", async () => {
    await using disk = await smallDisk("tmpfs", 80);
    const open = () =>
      openEmbeddedBackend({
        directory: disk.directory,
        embedder: { provider: "test", model: "random", dimension: 384 },
        ...quiet,
        reserved: { reservedBytes: 8 * MIB, logBytes: 4 * MIB },
      });
    const scope = { tenant: "t", namespace: "large" };
    await using backend = await open();
    const write = (start: number) =>
      backend.memories.writer.create(
        scope,
        Array.from({ length: 250 }, (_, index) =>
          newMemory(
            { id: `m${start + index}`, text: textOf(`word${start + index}`) },
            { vector: unitVector(start + index, 384) },
          ),
        ),
        { now: NOW },
      );
    for (let start = 0; start < 4000; start += 250) await write(start);
    disk.fill(0);
    await expect(write(4000)).rejects.toMatchObject({ reason: "STORE_FULL" });
    const request = { key: "r", bodyHash: "h", expireTime: NOW + 1000 };
    const counts = await backend.namespaces.delete(scope, { now: NOW, request });
    expect(counts).toEqual({ memories: 4000, cacheEntries: 0 });
    expect(await backend.namespaces.delete(scope, { now: NOW, request })).toEqual(counts);
    expect(await backend.namespaces.counts(scope)).toEqual({ memories: 0, cacheEntries: 0 });
    expect((await backend.indexes.info())[0]?.documentCount).toBe(0);
    await write(0);
    expect(await backend.namespaces.counts(scope)).toEqual({ memories: 250, cacheEntries: 0 });
  });
});

describe.runIf(canMount("ext4"))("the embedded store on a disk that turns read-only", () => {
  it("rejects writes with the cause, and still reads", async () => {
    await using disk = await smallDisk("ext4", 64);
    await using app = await startOn(disk);
    await createBatch(app, "n", 0, 100);
    // The kernel does this on a disk failure.
    disk.remount("abort");
    const error = await app.memory
      .createMemory({ memory: { text: "too late" } })
      .catch((cause: unknown) => cause);
    expect(await refusalOf(Promise.reject(error))).toMatchObject({
      code: "Unavailable",
      reason: "STORE_UNAVAILABLE",
    });
    expect(String(error)).toContain("its file system is read-only (EROFS)");
    expect(await countOf(app, "n")).toBe(100);
    const { ready, warnings } = await readiness(app);
    expect(ready).toBe(true);
    expect(warnings).toContain(
      "DATA_DIR cannot be written to: its file system is read-only (EROFS): writes are refused, reads go on",
    );
  });
});

describe("an unusable data directory", () => {
  it("that is a file fails the start with one line that names it", async () => {
    await using server = await startProcess({ DATA_DIR: "data" }, { files: { data: "" } });
    expect(await server.exited).toBe(2);
    expect(server.stderr()).toMatch(
      /^recollect: the data directory \(DATA_DIR\) data cannot be used: it is not a directory \(EEXIST\)\n$/,
    );
  });

  it.runIf(canMount("tmpfs"))("on a read-only or full disk fails the start likewise", async () => {
    await using disk = await smallDisk("tmpfs", 1);
    const start = async (): Promise<{ readonly code: number | null; readonly stderr: string }> => {
      await using server = await startProcess({ DATA_DIR: disk.directory });
      return { code: await server.exited, stderr: server.stderr() };
    };
    disk.fill(0);
    expect(await start()).toEqual({
      code: 2,
      stderr: `recollect: the data directory (DATA_DIR) ${disk.directory} cannot be used: its disk is full (ENOSPC)\n`,
    });
    disk.empty();
    await rm(join(disk.directory, "recollect.db"), { force: true });
    await writeFile(join(disk.directory, "note"), "");
    disk.remount("ro");
    expect(await start()).toEqual({
      code: 2,
      stderr: `recollect: the data directory (DATA_DIR) ${disk.directory} cannot be used: its file system is read-only (EROFS)\n`,
    });
  });
});
