import { once } from "node:events";
import { connect, type Socket } from "node:net";
import { createInterface } from "node:readline";
import type { Redis } from "ioredis";
import type { Command } from "./commands.ts";

/** A command that Redis has carried out. */
export interface SeenCommand {
  readonly command: Command;
  readonly isFromScript: boolean;
}

/** Watches what Redis is asked, by MONITOR: for what a call of the service sends, never while something is measured. */
export class CommandMonitor implements Disposable {
  readonly #socket: Socket;
  readonly #redis: Redis;
  #seen: SeenCommand[] = [];
  #marks = 0;
  #onMark: ((mark: string) => void) | undefined;

  private constructor(socket: Socket, redis: Redis) {
    this.#socket = socket;
    this.#redis = redis;
    createInterface({ input: socket }).on("line", (line) => this.#read(line));
  }

  /** `redis` is another connection to the same server. */
  static async open(url: string, redis: Redis): Promise<CommandMonitor> {
    const { hostname, port } = new URL(url);
    const socket = connect(Number(port), hostname);
    // One character a byte.
    socket.setEncoding("latin1");
    await once(socket, "connect");
    const monitor = new CommandMonitor(socket, redis);
    socket.write("MONITOR\r\n");
    await monitor.#untilNow();
    return monitor;
  }

  /** What Redis was asked, by whomever, while this was done. */
  async during(work: () => Promise<unknown>): Promise<readonly SeenCommand[]> {
    await this.#untilNow();
    this.#seen = [];
    await work();
    await this.#untilNow();
    return this.#seen;
  }

  [Symbol.dispose](): void {
    this.#socket.destroy();
  }

  /** Resolves when everything that Redis has done before is seen. */
  async #untilNow(): Promise<void> {
    this.#marks += 1;
    const wanted = `monitor-${this.#marks}`;
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#onMark = (mark) => {
      if (mark === wanted) resolve();
    };
    // Until MONITOR is under way, nothing of this is seen.
    const again = setInterval(() => void this.#redis.echo(wanted), 100);
    await Promise.all([this.#redis.echo(wanted), promise]);
    clearInterval(again);
  }

  /** `+<time> [<database> <address or lua>] "NAME" "argument" ...` */
  #read(line: string): void {
    const head = /^\+[\d.]+ \[\d+ ([^\]]*)\] /.exec(line);
    if (head === null) return;
    const [name = "", ...args] = [...line.slice(head[0].length).matchAll(/"((?:[^"\\]|\\.)*)"/g)].map(
      ([, text = ""]) => unescaped(text),
    );
    if (String(name).toLowerCase() === "echo") this.#onMark?.(String(args[0]));
    else this.#seen.push({ command: [String(name), ...args], isFromScript: head[1] === "lua" });
  }
}

const ESCAPES: Readonly<Record<string, string>> = { n: "\n", r: "\r", t: "\t", a: "\x07", b: "\b" };

/** Text where it is plain ASCII, as the service sends it; else bytes. */
function unescaped(text: string): string | Buffer {
  const bytes = text.replace(/\\(?:x([0-9a-f]{2})|(.))/g, (_, code: string | undefined, character: string) =>
    code === undefined ? (ESCAPES[character] ?? character) : String.fromCharCode(Number.parseInt(code, 16)),
  );
  return /^[\x20-\x7e]*$/.test(bytes) ? bytes : Buffer.from(bytes, "latin1");
}
