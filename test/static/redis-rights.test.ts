// Each command of a Lua script has to be among the rights of the server's user in the documentation: a test with that user
// meets only the scripts that it runs.

import { glob, readFile } from "node:fs/promises";
import { join } from "node:path";
import { expect, it } from "vitest";
import { documentedAcl } from "../support/redis/documented-acl.ts";

const ADAPTER = join(import.meta.dirname, "..", "..", "src", "adapters", "redis");
const CALL = /redis\.call\(\s*'(\w+)'/g;

it("the documented rights contain each command of a script", async () => {
  const rights = new Set(
    documentedAcl("x")
      .find((line) => line.startsWith("user recollect on"))
      ?.split(" "),
  );
  const missing = new Set<string>();
  let calls = 0;
  for await (const file of glob("**/*.lua", { cwd: ADAPTER })) {
    for (const [, command = ""] of (await readFile(join(ADAPTER, file), "utf8")).matchAll(CALL)) {
      calls += 1;
      if (!rights.has(`+${command.toLowerCase()}`)) missing.add(`${file}: ${command}`);
    }
  }
  expect(calls).toBeGreaterThan(100);
  expect([...missing]).toEqual([]);
});
