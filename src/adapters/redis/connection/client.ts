import type { Log } from "../../../ports/log.ts";
import type { ConnectionOptions } from "./connection-options.ts";
import { storeError } from "./errors.ts";
import type { Gate } from "./gate.ts";
import { openServers } from "./open-servers.ts";
import { CommandRetry } from "./retry.ts";
import { areReads, onlyReads } from "./retryable.ts";
import type { Script } from "./script.ts";
import type { Command, Reply, Routed, Servers } from "./servers.ts";

export type { Argument, Command, Reply } from "./servers.ts";

/** Commands whose first argument is no key. */
const KEYLESS: ReadonlySet<string> = new Set(["PING", "INFO", "CONFIG", "SCAN", "FT._LIST", "FT.CONFIG"]);

/**
 * Sends commands to Redis, wherever the keys lie: pipelined, over one connection a server (a second one is slower: see
 * docs/operations/redis.md). Rejects with STORE_UNAVAILABLE or STORE_FULL where the state of the server is the reason;
 * other errors are those of Redis. While there is no connection, commands fail at once with a retry delay: nothing
 * queues up. Right after a connection broke, commands wait for the reconnect (reconnect-wait.ts), and those that may be
 * repeated are sent once more (retry.ts).
 */
export class RedisClient implements AsyncDisposable {
  readonly #servers: Servers;
  readonly #retry: CommandRetry;
  readonly #gate: Gate | undefined;

  private constructor(servers: Servers, retry: CommandRetry, gate?: Gate) {
    this.#servers = servers;
    this.#retry = retry;
    this.#gate = gate;
  }

  /** Resolves when Redis has answered; rejects with STORE_UNAVAILABLE when it does not. */
  static async open(options: ConnectionOptions, log: Log): Promise<RedisClient> {
    try {
      const servers = await openServers(options, log);
      return new RedisClient(servers, new CommandRetry(servers.reconnectWait, options.retryOnTimeout));
    } catch (error) {
      throw storeError(error);
    }
  }

  /**
   * The same connections, for commands that wait while this gate is closed. They are closed with the client that opened
   * them.
   */
  behind(gate: Gate): RedisClient {
    return new RedisClient(this.#servers, this.#retry, gate);
  }

  get topology(): Servers["topology"] {
    return this.#servers.topology;
  }

  /** Calls this when keys are found on another server than before; several times for one move. */
  onMoved(listener: () => void): void {
    this.#servers.onMoved(listener);
  }

  /** Calls this when a connection was made again, with which keys lie behind it; before any command is sent on it. */
  onReconnected(listener: (holds: (key: string) => boolean) => void): void {
    this.#servers.onReconnected(listener);
  }

  /** For a command whose first argument is a key, or the name of an index: it goes to the server that holds it. */
  command(...command: Command): Promise<Reply> {
    return this.#send(command, keyOf(command));
  }

  /** For a command that names no key: it goes to the server that holds this one. */
  commandAt(key: string, ...command: Command): Promise<Reply> {
    return this.#send(command, key);
  }

  /** Sends a command to each server that takes writes. */
  async commandToEach(...command: Command): Promise<readonly Reply[]> {
    try {
      return await this.#servers.sendToEach(command);
    } catch (error) {
      throw storeError(error);
    }
  }

  /** Sends all of them in one round trip; rejects when one of them fails, though the others are carried out. */
  pipeline(commands: readonly Command[]): Promise<Reply[]> {
    return this.#retry.send(areReads(commands), commands.length, async () => {
      if (this.#gate?.isOpen === false) {
        await Promise.all(commands.map((command) => this.#gate?.closedFor(keyOf(command))));
      }
      const results = await this.#servers.sendAll(
        commands.map((command) => ({ command, key: keyOf(command) })),
      );
      return results.map((result) => {
        if (result instanceof Error) throw result;
        return result;
      });
    });
  }

  /**
   * Runs a script by its digest, and sends its text when Redis does not know it (a restart, SCRIPT FLUSH). `mayRetry`:
   * it changes something, and may be sent again nevertheless. `weight`: as how many commands it counts while it is
   * pending.
   */
  run<Input extends object, Output>(
    script: Script<Input, Output>,
    input: Input,
    { mayRetry = false, weight = 1 }: { readonly mayRetry?: boolean; readonly weight?: number } = {},
  ): Promise<Output> {
    const encoded = script.encode(input);
    const isChange = !onlyReads(script);
    const key = String(encoded[1]);
    return this.#retry
      .send(mayRetry || !isChange, weight, () =>
        this.#pass({ command: ["EVALSHA", script.digest, ...encoded], key, isChange }).catch(
          (error: unknown) => {
            if (!(error instanceof Error) || !error.message.startsWith("NOSCRIPT")) throw error;
            return this.#servers.send({ command: ["EVAL", script.text, ...encoded], key, isChange });
          },
        ),
      )
      .then(script.decode);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#servers[Symbol.asyncDispose]();
  }

  #send(command: Command, key: string | undefined): Promise<Reply> {
    return this.#retry.send(areReads([command]), 1, () => this.#pass({ command, key }));
  }

  /** Sends a command, when the gate is open. */
  #pass(routed: Routed): Promise<Reply> {
    const closed = this.#gate?.closedFor(routed.key);
    return closed === undefined ? this.#servers.send(routed) : closed.then(() => this.#servers.send(routed));
  }
}

function keyOf([name, first]: Command): string | undefined {
  return first === undefined || KEYLESS.has(name) ? undefined : String(first);
}
