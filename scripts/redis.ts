// `make redis`: a Redis Stack for development in the foreground, with its data under data/redis, on port REDIS_PORT.

import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdir } from "node:fs/promises";
import { createServer } from "node:net";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { fetchPrograms, findInstalled, type RedisPrograms } from "../test/support/redis/programs.ts";
import { hasDocker, IMAGE, INSTALL } from "../test/support/redis/source.ts";

const HOST = "127.0.0.1";
const SETTINGS = ["--appendonly", "yes", "--maxmemory-policy", "noeviction"];

const port = Number(process.env["REDIS_PORT"] ?? 6379);
const directory = join(import.meta.dirname, "../data/redis");

await expectFree();
await mkdir(directory, { recursive: true });
const { program, args, env } = await findServer();
const server = spawn(program, args, {
  env: { ...process.env, ...env },
  stdio: ["ignore", "pipe", "inherit"],
});
// Ctrl-C is also sent to the server, which saves and exits; then this process exits.
process.on("SIGINT", () => undefined);
process.on("SIGTERM", () => server.kill("SIGTERM"));
for await (const line of createInterface({ input: server.stdout })) {
  process.stdout.write(`${line}\n`);
  if (line.includes("Ready to accept connections")) {
    process.stdout.write(`\nRedis Stack on redis://${HOST}:${port}, data in data/redis; Ctrl-C stops it\n\n`);
  }
}
if (server.exitCode === null && server.signalCode === null) await once(server, "exit");
process.exitCode = server.exitCode ?? 1;

interface Command {
  readonly program: string;
  readonly args: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
}

async function findServer(): Promise<Command> {
  const installed = await findInstalled();
  if (installed !== undefined) return commandOf(installed);
  if (await hasDocker()) {
    const place = ["--publish", `${HOST}:${port}:6379`, "--volume", `${directory}:/data`];
    const env = ["--env", `REDIS_ARGS=${SETTINGS.join(" ")}`];
    return { program: "docker", args: ["run", "--rm", ...place, ...env, IMAGE] };
  }
  process.stdout.write(
    "Redis Stack is neither on PATH nor in Docker: using the one in .cache, fetched once\n",
  );
  return commandOf(await fetchPrograms().catch(({ message }: Error) => fail(`${message}\n${INSTALL}`)));
}

function commandOf({ server: program, modules, env }: RedisPrograms): Command {
  const place = ["--bind", HOST, "--port", String(port), "--dir", directory];
  return {
    program,
    args: [...place, ...SETTINGS, ...modules.flatMap((module) => ["--loadmodule", ...module])],
    env,
  };
}

async function expectFree(): Promise<void> {
  const probe = createServer().listen(port, HOST);
  await once(probe, "listening").catch(() =>
    fail(
      `Port ${port} is taken, maybe by a Redis that runs already: stop it, or say REDIS_PORT=6380 make redis`,
    ),
  );
  probe.close();
  await once(probe, "close");
}

function fail(message: string): never {
  process.stderr.write(`${message}\n`);
  process.exit(1);
}
