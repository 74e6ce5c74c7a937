import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { Database } from "./database.ts";

describe("writes of one tick of the event loop", () => {
  let directory = "";
  let database: Database;
  beforeEach(() => {
    directory = mkdtempSync(join(tmpdir(), "recollect-database-"));
    database = new Database(join(directory, "recollect.db"));
  });
  afterEach(() => {
    database[Symbol.dispose]();
    rmSync(directory, { recursive: true });
  });

  /** Starts writes of so many bytes in one tick; returns the events, in order. */
  async function order(...bytes: readonly number[]): Promise<string> {
    const events: string[] = [];
    const writes = bytes.map((size, index) =>
      database.write(
        () => {
          events.push(`write ${index}`);
          return { result: undefined, afterCommit: () => events.push(`done ${index}`) };
        },
        { bytes: size },
      ),
    );
    await Promise.all(writes);
    return events.join(", ");
  }

  it("share a transaction", async () => {
    expect(await order(0, 100, 0)).toBe("write 0, write 1, write 2, done 0, done 1, done 2");
  });

  it("do not share one when they are large together, and keep their order", async () => {
    expect(await order(40_000, 40_000, 0, 20_000, 900_000, 0, 1)).toBe(
      "write 0, done 0, write 1, write 2, write 3, done 1, done 2, done 3, write 4, write 5, done 4, done 5, write 6, done 6",
    );
  });

  it("are all committed when the database is closed at once", async () => {
    const writes = Promise.all(
      [60_000, 60_000, 60_000].map((bytes, index) =>
        database.write(
          () => {
            database.run("INSERT INTO meta (key, value) VALUES (?, ?)", `k${index}`, Buffer.of(1));
            return { result: index };
          },
          { bytes },
        ),
      ),
    );
    database[Symbol.dispose]();
    expect(await writes).toEqual([0, 1, 2]);
    database = new Database(join(directory, "recollect.db"));
    expect(database.all("SELECT key FROM meta WHERE key LIKE 'k_'")).toHaveLength(3);
  });
});
