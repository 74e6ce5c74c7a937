import { randomUUID } from "node:crypto";
import { once } from "node:events";
import { connect, type Socket } from "node:net";
import { createInterface } from "node:readline";
import type { Redis } from "ioredis";
import type { Command } from "./contenders/commands.ts";

/** A command executed by Redis. */
export interface SeenCommand {
  readonly command: Command;
  readonly isFromScript: boolean;
}

/**
 * Records the commands of Redis by MONITOR. Only on demand: Redis formats every command for MONITOR, including those of
 * scripts, which takes a third of the indexing time for a vector.
 */
export class CommandMonitor {
  readonly #url: URL;
  readonly #redis: Redis;

  /** `redis` is another connection to the same server. */
  constructor(url: string, redis: Redis) {
    this.#url = new URL(url);
    this.#redis = redis;
  }

  /** All commands of all clients during `work`. */
  async during(work: () => Promise<unknown>): Promise<readonly SeenCommand[]> {
    using watch = await Watch.begin(this.#url);
    await work();
    const mark = `monitor-${randomUUID()}`;
    const passed = watch.passed(mark);
    await this.#redis.echo(mark);
    await passed;
    return watch.seen;
  }
}

class Watch implements Disposable {
  readonly seen: SeenCommand[] = [];
  readonly #socket: Socket;
  readonly #begun = Promise.withResolvers<void>();
  #onMark: ((mark: string) => void) | undefined;

  private constructor(socket: Socket) {
    this.#socket = socket;
    createInterface({ input: socket }).on("line", (line) => this.#read(line));
  }

  static async begin({ hostname, port }: URL): Promise<Watch> {
    const socket = connect(Number(port), hostname);
    // One character a byte.
    socket.setEncoding("latin1");
    await once(socket, "connect");
    const watch = new Watch(socket);
    socket.write("MONITOR\r\n");
    await watch.#begun.promise;
    return watch;
  }

  /** Resolves when all commands up to the ECHO of this mark have been read. */
  passed(mark: string): Promise<void> {
    return new Promise((resolve) => {
      this.#onMark = (one) => {
        if (one === mark) resolve();
      };
    });
  }

  [Symbol.dispose](): void {
    this.#socket.destroy();
  }

  /** `+<time> [<database> <address or lua>] "NAME" "argument" ...` */
  #read(line: string): void {
    const head = /^\+[\d.]+ \[\d+ ([^\]]*)\] /.exec(line);
    if (head === null) {
      if (line === "+OK") this.#begun.resolve();
      return;
    }
    const [name = "", ...args] = [...line.slice(head[0].length).matchAll(/"((?:[^"\\]|\\.)*)"/g)].map(
      ([, text = ""]) => unescaped(text),
    );
    if (String(name).toLowerCase() === "echo") this.#onMark?.(String(args[0]));
    else this.seen.push({ command: [String(name), ...args], isFromScript: head[1] === "lua" });
  }
}

const ESCAPES: Readonly<Record<string, string>> = { n: "\n", r: "\r", t: "\t", a: "\x07", b: "\b" };

/** A string for plain ASCII, as the service sends it; else bytes. */
function unescaped(text: string): string | Buffer {
  const bytes = text.replace(/\\(?:x([0-9a-f]{2})|(.))/g, (_, code: string | undefined, character: string) =>
    code === undefined ? (ESCAPES[character] ?? character) : String.fromCharCode(Number.parseInt(code, 16)),
  );
  return /^[\x20-\x7e]*$/.test(bytes) ? bytes : Buffer.from(bytes, "latin1");
}
