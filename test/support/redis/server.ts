// Real Redis Stack servers for tests:
//
//   await using redis = await startRedis({ config: { maxmemory: "60mb" } });
//   redis.url                   // redis://127.0.0.1:<free port>, or rediss:// with `tls`
//   redis.pause(); redis.resume();
//   await redis.kill();         // kill -9
//   await redis.restart();      // same port, same data; kills it first when it runs
//
// A suite that starts servers of its own is wrapped in `describeRedisPrograms` (run.ts), one that needs any server in
// `describeSharedRedis`; sentinel.ts and cluster.ts start whole topologies, tcp-proxy.ts stands in between and fails.

import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Certificates } from "./certificates.ts";
import { freePort, onFreePort, type RedisProcess, startProcess } from "./process.ts";
import type { RedisPrograms } from "./programs.ts";
import { programsOfThisRun } from "./run.ts";

export interface RedisOptions {
  /**
   * Lines of redis.conf: `{ maxmemory: "60mb", save: '""' }`. Default: AOF with fsync at each write, no
   * snapshots, noeviction.
   */
  readonly config?: Readonly<Record<string, string>>;
  /** Lines of an ACL file: `user app on >secret ~app:* +ping`. Without one for `default` it may do everything. */
  readonly acl?: readonly string[];
  /** Only TLS, with client certificates. */
  readonly tls?: Certificates;
  /** Default: those of this run. */
  readonly programs?: RedisPrograms;
}

/** A server on a port of this machine, with a directory of its own that is removed in the end. */
export interface RedisServer extends AsyncDisposable {
  readonly url: string;
  readonly host: string;
  readonly port: number;
  /** The cluster bus port; undefined when the server is not in a cluster. */
  readonly busPort: number | undefined;
  /** The directory of its configuration and data. */
  readonly directory: string;
  /** The id of the current process. */
  readonly pid: number;
  /** It keeps its connections and answers nothing (SIGSTOP), until `resume`. */
  pause(): void;
  resume(): void;
  /** SIGKILL; resolves when the process has exited. */
  kill(): Promise<void>;
  /** Starts it on the same port and data, resolves when these are loaded; kills it first when it runs. */
  restart(): Promise<void>;
}

const HOST = "127.0.0.1";

const DURABLE = {
  appendonly: "yes",
  appendfsync: "always",
  save: '""',
  "maxmemory-policy": "noeviction",
  "repl-diskless-sync-delay": "0",
};

export async function startRedis(options: RedisOptions = {}): Promise<RedisServer> {
  const programs = options.programs ?? (await programsOfThisRun());
  return onFreePort((port) => startOn(port, programs, options));
}

async function startOn(port: number, programs: RedisPrograms, options: RedisOptions): Promise<RedisServer> {
  const directory = await mkdtemp(join(tmpdir(), "recollect-redis-"));
  const { config = {}, acl, tls } = options;
  // The default is the server's port plus 10,000, which may be in use.
  const busPort = config["cluster-enabled"] === "yes" ? await freePort() : undefined;
  const settings = {
    bind: HOST,
    ...(tls === undefined ? { port } : tlsSettings(port, tls)),
    ...DURABLE,
    ...(busPort === undefined ? {} : { "cluster-port": busPort }),
    ...(acl === undefined ? {} : { aclfile: join(directory, "users.acl") }),
    ...config,
  };
  const lines = Object.entries(settings).map(([name, value]) => `${name} ${value}`);
  const modules = programs.modules.map(([file, ...args]) => `loadmodule "${file}" ${args.join(" ")}`);
  await writeFile(join(directory, "redis.conf"), [...lines, ...modules, ""].join("\n"));
  if (acl !== undefined) await writeFile(join(directory, "users.acl"), [...acl, ""].join("\n"));

  let running: RedisProcess;
  try {
    running = await startProcess(programs, directory);
  } catch (error) {
    await rm(directory, { recursive: true });
    throw error;
  }
  return {
    url: `${tls === undefined ? "redis" : "rediss"}://${HOST}:${port}`,
    host: HOST,
    port,
    busPort,
    directory,
    get pid() {
      return running.pid;
    },
    pause: () => running.pause(),
    resume: () => running.resume(),
    kill: () => running.kill(),
    restart: async () => {
      await running.kill();
      running = await startProcess(programs, directory);
    },
    [Symbol.asyncDispose]: async () => {
      await running.kill();
      await rm(directory, { recursive: true });
    },
  };
}

/** Lines of redis.conf, also of a Sentinel. */
export function tlsSettings(port: number, tls: Certificates): Readonly<Record<string, string | number>> {
  return {
    port: 0,
    "tls-port": port,
    "tls-cert-file": tls.server.certFile,
    "tls-key-file": tls.server.keyFile,
    "tls-ca-cert-file": tls.caFile,
    "tls-auth-clients": "yes",
  };
}
