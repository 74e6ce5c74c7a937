import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, it } from "vitest";
import { readLines } from "./input.ts";

it("readLines opens nothing when its signal has aborted before, such as by Ctrl-C before a connection", async () => {
  const folder = await mkdtemp(join(tmpdir(), "recollect-input-"));
  try {
    const path = join(folder, "lines");
    await writeFile(path, "one\ntwo\n");
    expect(await Array.fromAsync(readLines(path), ({ text }) => text)).toEqual(["one", "two"]);
    expect(await Array.fromAsync(readLines(path, AbortSignal.abort()))).toEqual([]);
  } finally {
    await rm(folder, { recursive: true });
  }
});
