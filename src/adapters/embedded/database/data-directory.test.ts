import { mkdir, mkdtemp, rename, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { quiet } from "../../../../test/support/quiet.ts";
import { SMALL_RESERVED_SPACE } from "../../../../test/support/small-reserved-space.ts";
import type { Disk } from "../../../ports/disk.ts";
import { systemDisk } from "../../system/disk.ts";
import { openEmbeddedBackend } from "../backend.ts";
import { DATABASE_FILE, DataDirectory } from "./data-directory.ts";
import { Database } from "./database.ts";

let path: string;
beforeEach(async () => {
  path = await mkdtemp(join(tmpdir(), "recollect-data-"));
});
afterEach(async () => {
  await rm(path, { recursive: true });
});

const failing = (code: string): Disk => ({ ...systemDisk, obstacle: () => code });
const open = (directory: string, disk: Disk = systemDisk) =>
  openEmbeddedBackend({ directory, disk, embedder: undefined, ...quiet, reserved: SMALL_RESERVED_SPACE });

describe("a data directory that cannot be written to", () => {
  it.each([
    ["EROFS", "its file system is read-only (EROFS)"],
    ["EACCES", "this user may not read and write it (EACCES)"],
    ["ELOOP", "ELOOP"],
  ])("refuses the start with what is wrong: %s", async (code, words) => {
    await expect(open(path, failing(code))).rejects.toMatchObject({
      reason: "STORE_UNAVAILABLE",
      message: `the data directory (DATA_DIR) ${path} cannot be used: ${words}`,
    });
  });

  it("is detected by a test write, where access checks succeed", async () => {
    await expect(open(path, { ...systemDisk, tryWriting: () => "EIO" })).rejects.toMatchObject({
      message: `the data directory (DATA_DIR) ${path} cannot be used: EIO`,
    });
  });

  it("names a path that leads through a file", async () => {
    await writeFile(join(path, "file"), "");
    await expect(open(join(path, "file", "data"))).rejects.toMatchObject({
      message: expect.stringMatching(/file\/data cannot be used: it is not a directory.*\(ENOTDIR\)$/),
    });
  });

  it("names the file in it that may not be written", async () => {
    await (await open(path))[Symbol.asyncDispose]();
    const disk: Disk = {
      ...systemDisk,
      obstacle: (of) => (of.endsWith(DATABASE_FILE) ? "EACCES" : undefined),
    };
    await expect(open(path, disk)).rejects.toMatchObject({
      message: expect.stringContaining(
        "cannot be used: recollect.db in it: this user may not read and write",
      ),
    });
  });

  it("does not hide the error of the database that its file was removed", async () => {
    const data = join(path, "data");
    await mkdir(data);
    const directory = new DataDirectory(data, systemDisk);
    using database = new Database(join(data, DATABASE_FILE), { directory });
    await rm(data, { recursive: true });
    await expect(database.write(() => ({ result: undefined }))).rejects.toMatchObject({
      reason: "STORE_UNAVAILABLE",
      message: expect.stringContaining("recollect.db was removed or replaced"),
    });
    expect(directory.obstacle).toBe("cannot be written to: it is not there (ENOENT)");
  });

  it("reports why the file cannot be reached", async () => {
    const data = join(path, "data");
    await mkdir(data);
    const directory = new DataDirectory(data, systemDisk);
    using database = new Database(join(data, DATABASE_FILE), { directory });
    await rename(data, `${data}.away`);
    await symlink(data, data);
    await expect(database.write(() => ({ result: undefined }))).rejects.toMatchObject({
      reason: "STORE_UNAVAILABLE",
      message: "the data directory (DATA_DIR) cannot be written to: ELOOP",
    });
    expect(() => database.verifyFile()).toThrow(/recollect.db cannot be reached: ELOOP$/);
    await rm(data);
    await rename(`${data}.away`, data);
    await database.write(() => ({ result: undefined }));
  });

  it("explains failing writes while the obstacle lasts, and no longer", async () => {
    let code: string | undefined;
    const directory = new DataDirectory(path, { ...systemDisk, tryWriting: () => code });
    using database = new Database(join(path, DATABASE_FILE), { directory });
    const write = () =>
      database.write(() => ({
        result: database.run("INSERT OR REPLACE INTO meta (key, value) VALUES ('k', x'00')"),
      }));
    await write();
    expect(directory.obstacle).toBeUndefined();
    database.maintain((sqlite) => sqlite.exec("PRAGMA query_only = ON"));
    code = "EROFS";
    await expect(write()).rejects.toMatchObject({
      reason: "STORE_UNAVAILABLE",
      message: "the data directory (DATA_DIR) cannot be written to: its file system is read-only (EROFS)",
    });
    expect(directory.obstacle).toBe("cannot be written to: its file system is read-only (EROFS)");
    code = undefined;
    database.maintain((sqlite) => sqlite.exec("PRAGMA query_only = OFF"));
    await write();
    expect(directory.obstacle).toBeUndefined();
  });
});
