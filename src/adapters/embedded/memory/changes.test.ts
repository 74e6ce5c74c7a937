import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { expect, it } from "vitest";
import { memory, NOW, newMemory } from "../../../../test/support/builders.ts";
import { quiet } from "../../../../test/support/quiet.ts";
import { SMALL_RESERVED_SPACE } from "../../../../test/support/small-reserved-space.ts";
import { type FeedLimits, TRIM_STEP } from "../../../domain/memory/changes.ts";
import type { Backend } from "../../../ports/backend.ts";
import { openEmbeddedBackend } from "../backend.ts";

const SCOPE = { tenant: "t", namespace: "n" };

const open = (directory: string, feedLimits?: FeedLimits) =>
  openEmbeddedBackend({
    directory,
    embedder: undefined,
    ...quiet,
    reserved: SMALL_RESERVED_SPACE,
    ...(feedLimits === undefined ? {} : { feedLimits }),
  });

async function temporaryDirectory(cleanup: AsyncDisposableStack): Promise<string> {
  const directory = await mkdtemp(join(tmpdir(), "recollect-changes-"));
  cleanup.defer(() => rm(directory, { recursive: true }));
  return directory;
}

/** The table as it is in the file, which one process at a time may open. */
function rowsIn(directory: string): Record<string, unknown>[] {
  using sqlite = new DatabaseSync(join(directory, "recollect.db"), { readOnly: true });
  return sqlite.prepare("SELECT * FROM memory_change ORDER BY namespace_id, sequence").all();
}

it("the feed has no content of memories, and is deleted with its namespace", async () => {
  await using cleanup = new AsyncDisposableStack();
  const directory = await temporaryDirectory(cleanup);
  const inBackend = async <T>(work: (backend: Backend) => Promise<T>): Promise<T> => {
    await using backend = await open(directory);
    return await work(backend);
  };
  await inBackend(async ({ memories: { writer } }) => {
    const one = memory({
      id: "one",
      text: "xyzzy",
      author: "xyzzy",
      tags: ["xyzzy"],
      metadata: { x: "xyzzy" },
    });
    await writer.create(SCOPE, [newMemory(one)], { now: NOW });
    const next = memory({ ...one, text: "plugh xyzzy", etag: "e2" });
    await writer.replace(SCOPE, one.etag, newMemory(next), { now: NOW });
    await writer.delete(SCOPE, "one", { now: NOW });
  });
  const rows = rowsIn(directory);
  expect(rows.map(({ kind }) => kind)).toEqual(["", "CREATED", "UPDATED", "DELETED"]);
  expect(JSON.stringify(rows)).not.toMatch(/xyzzy|plugh/);
  await inBackend((backend) => backend.namespaces.delete(SCOPE, { now: NOW }));
  expect(rowsIn(directory)).toEqual([]);
});

it("a lowered limit is reached in bounded steps", async () => {
  await using cleanup = new AsyncDisposableStack();
  const directory = await temporaryDirectory(cleanup);
  const fill = async (limits: FeedLimits, ids: readonly string[]): Promise<number> => {
    {
      await using backend = await open(directory, limits);
      const items = ids.map((id) => newMemory({ id }));
      await backend.memories.writer.create(SCOPE, items, { now: NOW });
    }
    return rowsIn(directory).length;
  };
  const many = Array.from({ length: 60 }, (_, at) => `m${at}`);
  const retentionMs = 1000;
  expect(await fill({ maxChanges: 1000, retentionMs }, many)).toBe(61);
  const counts: number[] = [];
  for (const id of ["a", "b", "c", "d"]) counts.push(await fill({ maxChanges: 10, retentionMs }, [id]));
  // Each adds one row; of the last ones so many are left as there may be changes, and the one before them.
  expect(counts).toEqual([61 - TRIM_STEP, 61 - 2 * TRIM_STEP, 11, 11]);
});
