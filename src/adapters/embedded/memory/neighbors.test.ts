import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, it } from "vitest";
import { NEIGHBOR_REACH } from "../../../../src/domain/memory/neighbors.ts";
import { NOW, newMemory } from "../../../../test/support/builders.ts";
import { quiet } from "../../../../test/support/quiet.ts";
import { SMALL_RESERVED_SPACE } from "../../../../test/support/small-reserved-space.ts";
import { openEmbeddedBackend } from "../backend.ts";

const SCOPE = { tenant: "t", namespace: "n" };

it("a search for neighbours among many that do not pass lets other work run in between", async () => {
  await using cleanup = new AsyncDisposableStack();
  const directory = await mkdtemp(join(tmpdir(), "recollect-neighbors-"));
  cleanup.defer(() => rm(directory, { recursive: true }));
  await using backend = await openEmbeddedBackend({
    directory,
    embedder: undefined,
    ...quiet,
    reserved: SMALL_RESERVED_SPACE,
  });
  const own = Array.from({ length: 20 }, (_, index) => `own${index}`);
  const session = own.flatMap((id) => [
    ...Array.from({ length: NEIGHBOR_REACH }, (_, index) =>
      newMemory({ id: `${id}-${index}`, sessionId: "s", userId: "other" }),
    ),
    newMemory({ id, sessionId: "s", userId: "own" }),
  ]);
  await backend.memories.writer.create(SCOPE, session, { now: NOW });
  let isDone = false;
  const read = backend.memories.reader
    .neighbors(SCOPE, own, {
      filter: { states: ["ACTIVE"], userId: "own" },
      count: 5,
      maxBytes: Number.MAX_SAFE_INTEGER,
      now: NOW,
    })
    .finally(() => {
      isDone = true;
    });
  let ticks = 0;
  while (!isDone) {
    await new Promise((resolve) => setImmediate(resolve));
    ticks += 1;
  }
  // The next own memory is behind so many others that the reach ends before it.
  expect(await read).toEqual(own.map(() => []));
  expect(ticks).toBeGreaterThan(4);
});
