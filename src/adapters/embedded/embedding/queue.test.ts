import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { NOW, newMemory } from "../../../../test/support/builders.ts";
import { quiet } from "../../../../test/support/quiet.ts";
import { SMALL_RESERVED_SPACE } from "../../../../test/support/small-reserved-space.ts";
import { openEmbeddedBackend } from "../backend.ts";

const SCOPE = { tenant: "t", namespace: "n" };
const ALL = { limit: 100, maxBytes: 1e9, skip: 0, now: NOW };

let directory: string;
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), "recollect-backlog-"));
});
afterEach(async () => {
  await rm(directory, { recursive: true });
});

const open = () =>
  openEmbeddedBackend({
    directory,
    embedder: { provider: "contract", model: "random", dimension: 4 },
    ...quiet,
    reserved: SMALL_RESERVED_SPACE,
  });

describe("the embedding queue of the embedded store", () => {
  it("skips damaged memories, however many come first, and removes them", async () => {
    {
      await using backend = await open();
      const ids = Array.from({ length: 150 }, (_, index) => `m${String(index).padStart(3, "0")}`);
      await backend.memories.writer.create(
        SCOPE,
        ids.map((id) => newMemory({ id })),
        { now: NOW },
      );
    }
    {
      using sqlite = new DatabaseSync(join(directory, "recollect.db"));
      sqlite.exec("UPDATE memory SET record = replace(record, 'fact', 'fake') WHERE id < 'm120'");
    }
    await using backend = await open();
    const found = await backend.pendingMemories.pending({ ...ALL, limit: 10 });
    expect(found.map(({ id }) => id)).toEqual(Array.from({ length: 10 }, (_, index) => `m${120 + index}`));
    expect(await backend.pendingMemories.state()).toMatchObject({ count: 30 });
  });

  it("contains memories that were written while vector search was switched off", async () => {
    {
      await using backend = await openEmbeddedBackend({
        directory,
        embedder: undefined,
        ...quiet,
        reserved: SMALL_RESERVED_SPACE,
      });
      const embedding = {
        state: "DISABLED" as const,
        provider: "",
        model: "",
        dimension: 0,
        truncated: false,
      };
      await backend.memories.writer.create(SCOPE, [newMemory({ embedding })], { now: NOW });
    }
    await using backend = await open();
    expect((await backend.pendingMemories.pending(ALL)).map(({ id }) => id)).toEqual(["m1"]);
  });
});
