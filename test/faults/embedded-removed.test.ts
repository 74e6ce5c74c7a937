import { copyFile, mkdtemp, readFile, rename, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, it } from "vitest";
import { refusalOf } from "../support/errors.ts";
import { startApp } from "../support/start-app.ts";

it("a database file that is removed or replaced under a running server rejects writes until it is back", async () => {
  const directory = await mkdtemp(join(tmpdir(), "recollect-removed-"));
  await using cleanup = new AsyncDisposableStack();
  cleanup.defer(() => rm(directory, { recursive: true }));
  const log = join(directory, "app.log");
  const env = { MEMORY_BACKEND: "embedded", LOG_LEVEL: "error", LOG_FILE: log };
  await using app = await startApp({ env });
  const file = join(app.dataDir, "recollect.db");
  const aside = join(app.dataDir, "aside.db");
  const remember = (id: string) => app.memory.createMemory({ memory: { id, text: `what ${id} is` } });
  const ready = async () => (await fetch(`${app.httpUrl}/ready`)).status;
  const refused = { code: "Unavailable", reason: "STORE_UNAVAILABLE" };
  await remember("before");

  await rename(file, aside);
  expect(await refusalOf(remember("lost"))).toMatchObject(refused);
  expect(await ready()).toBe(503);
  await copyFile(aside, file);
  expect(await refusalOf(remember("lost"))).toMatchObject(refused);
  expect(await ready()).toBe(503);
  // Acknowledged memories are still readable.
  expect((await app.memory.getMemory({ id: "before" })).memory?.text).toBe("what before is");

  await rename(aside, file);
  await remember("after");
  expect(await ready()).toBe(200);
  expect((await app.memory.listMemories({})).memories.map(({ id }) => id)).toEqual(["after", "before"]);
  await app.stop();
  const lines = (await readFile(log, "utf8")).trim().split("\n");
  expect(lines).toEqual([expect.stringContaining("removed or replaced")]);
});
