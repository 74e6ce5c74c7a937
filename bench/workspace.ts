import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { closeSync, mkdtempSync, openSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { createInterface } from "node:readline";
import { setTimeout as sleep } from "node:timers/promises";
import type { EchoPlan } from "./contenders/echo-server.ts";
import { writeFrames } from "./frames.ts";
import type { LoadPlan, LoadResult } from "./load.ts";

const ROOT = join(import.meta.dirname, "..");
const START_MS = 30_000;
const STOP_MS = 15_000;
const PIPES: ["pipe", "pipe", "inherit"] = ["pipe", "pipe", "inherit"];

/** A server process. */
export interface ServerProcess {
  readonly pid: number;
  /** host:port of its gRPC server. */
  readonly address: string;
  /** host:port of its HTTP server; empty without one. */
  readonly httpAddress: string;
  /** Sends SIGTERM, waits, and sends SIGKILL if needed. */
  stop(): Promise<void>;
}

/** Options of the service. */
export interface ServiceOptions {
  /** Directory of the compiled program, such as dist. */
  readonly dist: string;
  /** Data directory inside the workspace. */
  readonly data: string;
  /** Additional flags of node, such as --cpu-prof. */
  readonly flags?: readonly string[];
  /** Additional settings, such as those of Redis. */
  readonly settings?: Readonly<Record<string, string>>;
}

/** A process that executes plans and returns their results, one at a time. */
export interface Worker<Plan, Result> {
  readonly pid: number;
  apply(plan: Plan): Promise<Result>;
  /** Ends the process. */
  stop(): Promise<void>;
}

/** A temporary directory and its processes; disposing ends the processes and deletes the directory. */
export class Workspace implements AsyncDisposable {
  readonly directory = mkdtempSync(join(tmpdir(), "recollect-bench-"));
  #files = 0;
  readonly #children = new Set<ChildProcess>();
  readonly #atExit = (): void => this.#discard();
  #load: Worker<LoadPlan, LoadResult> | undefined;

  constructor() {
    process.once("exit", this.#atExit);
  }

  /** Writes encoded messages to a file of this name, and returns its path. */
  frames(name: string, messages: readonly Uint8Array[]): string {
    // Load generators cache files by path.
    this.#files += 1;
    const path = join(this.directory, `${this.#files}-${name}`);
    writeFrames(path, messages);
    return path;
  }

  /**
   * Starts the service as bin/recollect does: with its flags, its defaults, and its log (a line for each call) in a file,
   * which needs no reader.
   */
  service({ dist, data, flags = [], settings = {} }: ServiceOptions): Promise<ServerProcess> {
    return this.#serve("service", [...launcherFlags(), ...flags, join(dist, "main.js"), "serve"], {
      // Its vectors are cheap, and of any dimension.
      EMBEDDING_PROVIDER: "hashing",
      DATA_DIR: join(this.directory, data),
      GRPC_PORT: "0",
      HTTP_PORT: "0",
      LOG_FORMAT: "json",
      // Room for as many cache entries as memories at the largest size.
      CACHE_MAX_ENTRIES: "1000000",
      ...settings,
    });
  }

  /** Starts the floor with the same flags. */
  echo(plan: EchoPlan): Promise<ServerProcess> {
    return this.server("contenders/echo-server.ts", plan);
  }

  /** Starts a server of this folder with the same flags; it reads its plan from a file. */
  server(program: string, plan: object): Promise<ServerProcess> {
    const name = program.replaceAll("/", "-");
    const file = join(this.directory, `${name}.json`);
    writeFileSync(file, JSON.stringify(plan));
    return this.#serve(name, [...launcherFlags(), join(import.meta.dirname, program), file], {});
  }

  /** Applies a load from the load generator, which is one process for all loads so that its code is warm. */
  load(plan: LoadPlan): Promise<LoadResult> {
    this.#load ??= this.worker("load.ts");
    return this.#load.apply(plan);
  }

  /** Starts a program of this folder that reads one plan a line, and prints one result a line. */
  worker<Plan, Result>(program: string): Worker<Plan, Result> {
    return this.#worker(program, this.#spawn([join(import.meta.dirname, program)], {}, PIPES));
  }

  /** The same with another interpreter; resolves when its first line says that it is ready. */
  async foreignWorker<Plan, Result>(
    interpreter: string,
    program: string,
    args: readonly string[],
    env: Readonly<Record<string, string>>,
  ): Promise<Worker<Plan, Result>> {
    const path = join(import.meta.dirname, program);
    const worker = this.#worker<Plan, Result>(program, this.#spawn([path, ...args], env, PIPES, interpreter));
    await worker.next();
    return worker;
  }

  #worker<Plan, Result>(
    program: string,
    child: ChildProcess,
  ): Worker<Plan, Result> & { next(): Promise<Result> } {
    const { stdin, stdout } = child;
    if (stdin === null || stdout === null) throw new TypeError(`${program} has no pipes`);
    const lines = createInterface({ input: stdout })[Symbol.asyncIterator]();
    const next = async (): Promise<Result> => {
      const { value, done } = await lines.next();
      if (done === true) throw new Error(`${program} ended`);
      return JSON.parse(value) as Result;
    };
    return {
      pid: child.pid ?? 0,
      next,
      apply: (plan) => {
        stdin.write(`${JSON.stringify(plan)}\n`);
        return next();
      },
      stop: () => this.#end(child),
    };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    process.off("exit", this.#atExit);
    await Promise.all([...this.#children].map((child) => this.#end(child)));
    this.#discard();
  }

  async #serve(
    name: string,
    args: readonly string[],
    env: Readonly<Record<string, string>>,
  ): Promise<ServerProcess> {
    const log = join(this.directory, `${name}.log`);
    const output = openSync(log, "w");
    const child = this.#spawn(args, env, ["ignore", output, output]);
    closeSync(output);
    const addresses = await servingAddresses(child, log);
    return { pid: child.pid ?? 0, ...addresses, stop: () => this.#end(child) };
  }

  #spawn(
    args: readonly string[],
    env: Readonly<Record<string, string>>,
    stdio: ["ignore", number, number] | typeof PIPES,
    interpreter: string = process.execPath,
  ): ChildProcess {
    const child = spawn(interpreter, args, {
      cwd: this.directory,
      env: { PATH: process.env["PATH"], ...env },
      stdio,
    });
    this.#children.add(child);
    return child;
  }

  async #end(child: ChildProcess): Promise<void> {
    this.#children.delete(child);
    if (child.exitCode !== null || child.signalCode !== null) return;
    const ended = once(child, "exit");
    child.kill("SIGTERM");
    const force = setTimeout(() => child.kill("SIGKILL"), STOP_MS);
    await ended;
    clearTimeout(force);
  }

  #discard(): void {
    for (const child of this.#children) child.kill("SIGKILL");
    this.#children.clear();
    rmSync(this.directory, { recursive: true, force: true });
  }
}

/** The node flags of bin/recollect. */
function launcherFlags(): string[] {
  const launcher = readFileSync(join(ROOT, "bin", "recollect"), "utf8");
  const start = launcher.split("\n").find((line) => line.startsWith("exec "));
  if (start === undefined) throw new Error("bin/recollect has no line that begins with exec");
  return start.split(" ").filter((part) => part.startsWith("--"));
}

/** Each server writes a JSON line `{"msg": "serving", "grpc": "host:port"}` when it is ready. */
async function servingAddresses(
  child: ChildProcess,
  log: string,
): Promise<Pick<ServerProcess, "address" | "httpAddress">> {
  const end = Date.now() + START_MS;
  while (Date.now() < end && child.exitCode === null) {
    const line = readFileSync(log, "utf8")
      .split("\n")
      .find((one) => one.includes('"msg":"serving"'));
    if (line !== undefined) {
      const { grpc, http } = JSON.parse(line) as { grpc?: unknown; http?: unknown };
      return { address: String(grpc), httpAddress: String(http ?? "") };
    }
    await sleep(50);
  }
  throw new Error(`the server did not start:\n${readFileSync(log, "utf8")}`);
}
