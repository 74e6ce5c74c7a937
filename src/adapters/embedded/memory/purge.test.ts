import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, it } from "vitest";
import { NOW, newMemory } from "../../../../test/support/builders.ts";
import { quiet } from "../../../../test/support/quiet.ts";
import { SMALL_RESERVED_SPACE } from "../../../../test/support/small-reserved-space.ts";
import { openEmbeddedBackend } from "../backend.ts";

const SCOPE = { tenant: "t", namespace: "n" };

it.each([
  // Of 501 terms of 6 bytes each: 16 KiB are five.
  ["long memories", 500, 23, [18, 13, 8, 3, 0]],
  ["short ones", 2, 600, [350, 100, 0]],
])("a purge of %s lets other writes run between its bounded steps", async (_, length, count, expected) => {
  await using cleanup = new AsyncDisposableStack();
  const directory = await mkdtemp(join(tmpdir(), "recollect-purge-"));
  cleanup.defer(() => rm(directory, { recursive: true }));
  await using backend = await openEmbeddedBackend({
    directory,
    embedder: undefined,
    ...quiet,
    reserved: SMALL_RESERVED_SPACE,
  });
  const words = Array.from({ length }, (_, index) => `w${index}`).join(" ");
  const items = Array.from({ length: count }, (_, index) =>
    newMemory({ id: `m${index}`, text: `${words} ${index}` }),
  );
  await backend.memories.writer.create(SCOPE, items, { now: NOW });
  const left = new Set<number>();
  let isDone = false;
  const purge = backend.memories.purge.run(SCOPE, { states: ["ACTIVE"] }, { now: NOW }).finally(() => {
    isDone = true;
  });
  while (!isDone) {
    await new Promise((resolve) => setImmediate(resolve));
    left.add((await backend.namespaces.counts(SCOPE)).memories);
  }
  expect(await purge).toBe(count);
  left.delete(count);
  expect([...left]).toEqual(expected);
});
