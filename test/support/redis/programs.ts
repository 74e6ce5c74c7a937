import { execFile } from "node:child_process";
import { access, constants, realpath } from "node:fs/promises";
import { delimiter, dirname, join } from "node:path";
import { promisify } from "node:util";

/** A Redis Stack on this machine, of which as many servers can be started as wanted. */
export interface RedisPrograms {
  /** redis-server; with `--sentinel` a sentinel. */
  readonly server: string;
  /** The arguments of `loadmodule` for each module: its file, then its arguments. */
  readonly modules: readonly (readonly string[])[];
  /** Variables that the programs are started with. */
  readonly env: Readonly<Record<string, string>>;
}

const FETCH = join(import.meta.dirname, "../../../scripts/fetch-redis-stack.sh");

const run = promisify(execFile);

/** The Redis Stack on PATH, or undefined. */
export async function findInstalled(): Promise<RedisPrograms | undefined> {
  for (const folder of (process.env["PATH"] ?? "").split(delimiter)) {
    // It is a script that would stand between us and the server: what is started lies beside what it is a link to.
    const script = join(folder, "redis-stack-server");
    if (await isThere(script)) {
      const stack = dirname(dirname(await realpath(script)));
      if (await isThere(join(stack, "bin/redis-server"))) return programsIn(stack, {});
    }
  }
  return undefined;
}

/** The Redis Stack that scripts/fetch-redis-stack.sh keeps in .cache/. Throws with what it needs and misses. */
export async function fetchPrograms(): Promise<RedisPrograms> {
  const { stdout } = await run(FETCH).catch((error: { readonly stderr?: string }) => {
    throw new Error(error.stderr?.trim() || "Redis Stack could not be fetched", { cause: error });
  });
  const stack = stdout.trim();
  return programsIn(stack, { LD_LIBRARY_PATH: join(stack, "lib") });
}

function programsIn(stack: string, env: RedisPrograms["env"]): RedisPrograms {
  return {
    server: join(stack, "bin/redis-server"),
    modules: [
      [join(stack, "lib/rejson.so")],
      [join(stack, "lib/redisearch.so"), "MAXSEARCHRESULTS", "10000"],
      [join(stack, "lib/redisbloom.so")],
    ],
    env,
  };
}

async function isThere(path: string): Promise<boolean> {
  return access(path, constants.X_OK).then(
    () => true,
    () => false,
  );
}
