// Redis scripts use named keys and arguments: only connection/script-preamble.ts depends on their positions.

import { glob, readFile } from "node:fs/promises";
import { join } from "node:path";
import { expect, it } from "vitest";
import { preamble } from "../../src/adapters/redis/connection/script-preamble.ts";

const SRC = join(import.meta.dirname, "..", "..", "src");

const POSITION = /\b(?:KEYS|ARGV)\b/;

it("finds positions", () => {
  for (const body of ["redis.call('GET', KEYS[1])", "for at = 6, #ARGV do", "unpack(ARGV, 3)"]) {
    expect(body).toMatch(POSITION);
  }
  expect(preamble(["meta"], ["now"])).toMatch(POSITION);
});

it("no script or library uses the position of a key or an argument", async () => {
  const scripts: string[] = [];
  const found: string[] = [];
  for await (const file of glob("**/*.lua", { cwd: SRC })) {
    scripts.push(file);
    if (POSITION.test(await readFile(join(SRC, file), "utf8"))) found.push(file);
  }
  expect(scripts.length).toBeGreaterThan(30);
  expect(found).toEqual([]);
});
