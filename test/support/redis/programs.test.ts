import { mkdir, mkdtemp, realpath, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, expect, it, vi } from "vitest";
import { findInstalled } from "./programs.ts";

afterEach(() => {
  vi.unstubAllEnvs();
});

it("takes the Redis Stack that redis-stack-server on PATH is a link to", async () => {
  const root = await realpath(await mkdtemp(join(tmpdir(), "recollect-stack-")));
  await mkdir(join(root, "stack/bin"), { recursive: true });
  await mkdir(join(root, "path"));
  await writeFile(join(root, "stack/bin/redis-server"), "", { mode: 0o755 });
  await writeFile(join(root, "stack/bin/redis-stack-server"), "", { mode: 0o755 });
  await symlink(join(root, "stack/bin/redis-stack-server"), join(root, "path/redis-stack-server"));
  vi.stubEnv("PATH", `/nowhere:${join(root, "path")}`);
  const programs = await findInstalled();
  expect(programs?.server).toBe(join(root, "stack/bin/redis-server"));
  expect(programs?.modules.map(([file]) => file)).toContain(join(root, "stack/lib/redisearch.so"));
  vi.stubEnv("PATH", "/nowhere");
  expect(await findInstalled()).toBeUndefined();
  await rm(root, { recursive: true });
});
