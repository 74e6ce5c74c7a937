import { statSync } from "node:fs";
import { mkdtemp, rename, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import type { Disk } from "../../../ports/disk.ts";
import { DataDirectory } from "./data-directory.ts";
import { Database } from "./database.ts";
import { ReservedSpace } from "./reserved-space.ts";

const MIB = 1024 * 1024;
const FULL = { reason: "STORE_FULL" };

let path: string;
/** Free bytes beside the reserved space. */
let freeBytes: number;
beforeEach(async () => {
  path = await mkdtemp(join(tmpdir(), "recollect-database-"));
  freeBytes = 100 * MIB;
});
afterEach(async () => {
  await rm(path, { recursive: true });
});

const file = (): string => join(path, "recollect.db");
const reserved = (): string => join(path, "space-for-deletions");

/** A database whose disk reports `freeBytes` beside the reserved space. */
function openOnDisk(): Database {
  const disk: Disk = {
    space: () => {
      const present = statSync(reserved(), { throwIfNoEntry: false })?.size ?? 0;
      return { freeBytes: freeBytes + 4 * MIB - present, totalBytes: 1000 * MIB };
    },
    obstacle: () => undefined,
    tryWriting: () => undefined,
  };
  const directory = new DataDirectory(path, disk);
  const space = new ReservedSpace(directory, { reservedBytes: 4 * MIB, logBytes: 2 * MIB });
  return new Database(file(), { directory, reserved: space });
}

function put(database: Database, key: string, bytes: number, deletes = false): Promise<void> {
  return database.write(
    () => {
      database.run("INSERT OR REPLACE INTO meta (key, value) VALUES (?, zeroblob(?))", key, bytes);
      return { result: undefined };
    },
    { deletes },
  );
}

function remove(database: Database, key: string): Promise<void> {
  return database.write(
    () => {
      database.run("DELETE FROM meta WHERE key = ?", key);
      return { result: undefined };
    },
    { deletes: true },
  );
}

const keys = (database: Database): unknown[] =>
  database.all("SELECT key FROM meta ORDER BY key").map((row) => row["key"]);

describe("writes of one transaction when the file cannot grow", () => {
  it("are refused and rolled back one by one; writes that fit succeed", async () => {
    using database = new Database(file());
    await put(database, "a", 10);
    database.maintain((sqlite) => sqlite.exec("PRAGMA max_page_count = 1"));
    const undone: string[] = [];
    const large = database.write(
      () => {
        database.run("INSERT INTO meta (key, value) VALUES ('large', zeroblob(1000000))");
        return { result: undefined };
      },
      { onUndone: () => void undone.push("large") },
    );
    const ends = await Promise.allSettled([
      put(database, "b", 10),
      large,
      remove(database, "a"),
      put(database, "c", 10),
    ]);
    expect(ends.map(({ status }) => status)).toEqual(["fulfilled", "rejected", "fulfilled", "fulfilled"]);
    await expect(large).rejects.toMatchObject(FULL);
    expect(undone.length).toBeGreaterThan(0);
    expect(keys(database)).toEqual(["b", "c"]);
  });
});

describe("writes that are too much for one transaction, when the file cannot grow", () => {
  it("are refused one by one, whatever transaction they are in", async () => {
    using database = new Database(file());
    await put(database, "a", 10);
    database.maintain((sqlite) => sqlite.exec("PRAGMA max_page_count = 1"));
    const write = (key: string, size: number) =>
      database.write(
        () => {
          database.run("INSERT INTO meta (key, value) VALUES (?, zeroblob(?))", key, size);
          return { result: undefined };
        },
        { bytes: 40_000 },
      );
    const ends = await Promise.allSettled([
      write("large", 1_000_000),
      write("b", 10),
      write("larger", 2_000_000),
      remove(database, "a"),
      write("c", 10),
    ]);
    expect(ends.map((end) => (end.status === "rejected" ? end.reason.reason : "written"))).toEqual([
      "STORE_FULL",
      "written",
      "STORE_FULL",
      "written",
      "written",
    ]);
    expect(keys(database)).toEqual(["b", "c"]);
  });
});

describe("a database on a full disk", () => {
  /** Makes the database use the reserved space: a test cannot fill the disk, so it stops the file from growing. */
  async function useReserved(database: Database): Promise<void> {
    database.maintain((sqlite) => sqlite.exec("PRAGMA max_page_count = 1"));
    freeBytes = MIB;
    await put(database, "deletion that needs pages", 200_000, true);
  }

  it("accepts deletions that need space themselves, and refuses writes that only grow the file", async () => {
    using database = openOnDisk();
    await put(database, "a", 500_000);
    // The limit is lifted when the reserved space is released.
    await useReserved(database);
    expect(keys(database)).toContain("deletion that needs pages");
    expect(statSync(reserved()).size).toBe(3 * MIB);
    await expect(put(database, "b", 2_000_000)).rejects.toMatchObject(FULL);
  });

  it("refuses all writes while its file is missing, with that error rather than STORE_FULL", async () => {
    using database = openOnDisk();
    await put(database, "a", 500_000);
    await useReserved(database);
    await rename(file(), `${file()}.away`);
    const lost = { reason: "STORE_UNAVAILABLE", message: expect.stringContaining("removed or replaced") };
    await expect(remove(database, "a")).rejects.toMatchObject(lost);
    await expect(put(database, "b", 2_000_000)).rejects.toMatchObject(lost);
    await rename(`${file()}.away`, file());
    await remove(database, "a");
    expect(keys(database)).toEqual(["deletion that needs pages"]);
  });

  it("keeps refusing when its WAL is too long for the disk and its file is missing", async () => {
    using database = openOnDisk();
    await put(database, "a", 10);
    const release = database.pauseCheckpoints(100 * MIB, () => undefined);
    await put(database, "b", 3_000_000);
    freeBytes = 0;
    release?.();
    await put(database, "c", 10);
    await rename(file(), `${file()}.away`);
    await expect(put(database, "d", 10)).rejects.toMatchObject(FULL);
    await expect(remove(database, "a")).rejects.toMatchObject({ reason: "STORE_UNAVAILABLE" });
    await rename(`${file()}.away`, file());
    await expect(put(database, "d", 10)).rejects.toMatchObject(FULL);
    freeBytes = 100 * MIB;
    await put(database, "d", 10);
    expect(keys(database)).toEqual(["a", "b", "c", "d"]);
  });

  it("reuses pages that deletions have freed, and grows when the disk has space", async () => {
    using database = openOnDisk();
    await put(database, "a", 500_000);
    await useReserved(database);
    await remove(database, "a");
    const size = Number(database.first("PRAGMA page_count")?.["page_count"]);
    await put(database, "b", 450_000);
    expect(Number(database.first("PRAGMA page_count")?.["page_count"])).toBe(size);
    await expect(put(database, "c", 1_000_000)).rejects.toMatchObject(FULL);
    freeBytes = 100 * MIB;
    await put(database, "c", 1_000_000);
    expect(keys(database)).toEqual(["b", "c", "deletion that needs pages"]);
    expect(statSync(reserved()).size).toBe(4 * MIB);
  });
});
