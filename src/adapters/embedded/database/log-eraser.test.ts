import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { Database } from "./database.ts";
import { ERASE_AFTER_MS } from "./log-eraser.ts";

const TEXT = "a text that is deleted";

describe("the write-ahead log after a deletion", () => {
  let directory: string;
  let database: Database;
  beforeEach(() => {
    vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout"] });
    directory = mkdtempSync(join(tmpdir(), "recollect-log-"));
    database = new Database(join(directory, "recollect.db"));
  });
  afterEach(() => {
    database[Symbol.dispose]();
    rmSync(directory, { recursive: true });
    vi.useRealTimers();
  });

  const holdsText = (): boolean =>
    ["recollect.db", "recollect.db-wal"].some((name) => readFileSync(join(directory, name)).includes(TEXT));
  const insert = () =>
    database.write(() => ({
      result: database.run("INSERT INTO meta (key, value) VALUES ('k', ?)", Buffer.from(TEXT)),
    }));
  const remove = () =>
    database.write(() => ({ result: database.run("DELETE FROM meta WHERE key = 'k'") }), { deletes: true });

  it("is emptied some seconds later, and the deleted text is nowhere", async () => {
    await insert();
    await remove();
    expect(holdsText()).toBe(true);
    vi.advanceTimersByTime(ERASE_AFTER_MS - 1);
    expect(holdsText()).toBe(true);
    vi.advanceTimersByTime(1);
    expect(holdsText()).toBe(false);
  });

  it("is emptied once for many deletions, and not for other writes", async () => {
    await insert();
    expect(vi.getTimerCount()).toBe(0);
    for (let time = 0; time < 3; time += 1) await remove();
    expect(vi.getTimerCount()).toBe(1);
    vi.advanceTimersByTime(ERASE_AFTER_MS);
    expect(vi.getTimerCount()).toBe(0);
  });

  it("is emptied later while checkpoints are paused", async () => {
    await insert();
    const resume = database.pauseCheckpoints(Number.MAX_SAFE_INTEGER, () => undefined);
    await remove();
    vi.advanceTimersByTime(ERASE_AFTER_MS);
    expect(holdsText()).toBe(true);
    resume?.();
    vi.advanceTimersByTime(ERASE_AFTER_MS);
    expect(holdsText()).toBe(false);
  });
});
