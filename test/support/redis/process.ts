import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { createServer } from "node:net";
import { join } from "node:path";
import { createInterface } from "node:readline";
import type { RedisPrograms } from "./programs.ts";

/** A running redis-server or sentinel. */
export interface RedisProcess {
  readonly pid: number;
  /** Stops it in the middle of what it does, without closing its connections (SIGSTOP). */
  pause(): void;
  resume(): void;
  /** SIGKILL; resolves when the process has exited. */
  kill(): Promise<void>;
}

/** The log message of a server that could not listen. */
const PORT_TAKEN = /Address already in use|Failed listening/;

/** Thrown when the port was taken. */
export class PortTakenError extends Error {}

/**
 * Starts redis-server with <directory>/redis.conf and resolves when it has loaded its data and listens: by its own log,
 * so that it is this server and no other that answers on the port. Throws with the end of its log.
 */
export async function startProcess(
  programs: RedisPrograms,
  directory: string,
  ...flags: string[]
): Promise<RedisProcess> {
  const child = spawn(programs.server, [join(directory, "redis.conf"), ...flags], {
    cwd: directory,
    env: { ...process.env, ...programs.env },
    stdio: ["ignore", "pipe", "pipe"],
  });
  const exited = once(child, "exit");
  await once(child, "spawn");
  const guard = startGuard(child, directory);
  const server: RedisProcess = {
    pid: child.pid as number,
    pause: () => void child.kill("SIGSTOP"),
    resume: () => void child.kill("SIGCONT"),
    kill: async () => {
      child.kill("SIGKILL");
      await exited;
      await guard.end();
    },
  };

  const lines: string[] = [];
  const { promise: ready, resolve, reject } = Promise.withResolvers<void>();
  for (const input of [child.stdout, child.stderr]) {
    createInterface({ input }).on("line", (line) => {
      lines.push(line);
      if (lines.length > 50) lines.shift();
      if (/Ready to accept connections|Sentinel ID is/.test(line)) resolve();
    });
  }
  child.once("close", () => {
    const log = lines.join("\n");
    reject(PORT_TAKEN.test(log) ? new PortTakenError(log) : new Error(`redis-server has exited:\n${log}`));
  });
  try {
    await ready;
  } catch (error) {
    await server.kill();
    throw error;
  }
  return server;
}

interface Guard {
  end(): Promise<void>;
}

/**
 * Kills the server and removes its directory when this process exits, however it exits: the guard reads from a pipe
 * that the system closes then. It stands in a group of its own, where Ctrl-C does not reach it.
 */
function startGuard(server: ChildProcess, directory: string): Guard {
  const guard = spawn(
    "sh",
    ["-c", 'read -r _; kill -9 "$0"; sleep 0.1; rm -rf "$1"', `${server.pid}`, directory],
    {
      detached: true,
      stdio: ["pipe", "ignore", "ignore"],
    },
  );
  const exited = once(guard, "exit");
  return {
    end: async () => {
      guard.kill("SIGKILL");
      await exited;
    },
  };
}

/**
 * A port of this machine that is free now, below those that systems give to outgoing connections: a client that tries
 * again and again to reach a stopped server would otherwise be given its port one day.
 */
export async function freePort(): Promise<number> {
  for (;;) {
    const port = 20_000 + Math.floor(Math.random() * 12_000);
    const server = createServer();
    const free = await new Promise<boolean>((resolve) => {
      server.once("error", () => resolve(false));
      server.listen(port, "127.0.0.1", () => resolve(true));
    });
    if (!free) continue;
    server.close();
    await once(server, "close");
    return port;
  }
}

/** Calls this with free ports until one of them was still free when it was used. */
export async function onFreePort<T>(start: (port: number) => Promise<T>): Promise<T> {
  for (let attempt = 1; ; attempt += 1) {
    try {
      return await start(await freePort());
    } catch (error) {
      if (!(error instanceof PortTakenError) || attempt === 10) throw error;
    }
  }
}
