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
 * other errors are those of Redis. Without a connection, commands fail at once with a retry delay: nothing is queued.
 * Right after a connection broke, commands wait for the reconnect (reconnect-wait.ts), and retryable ones are sent once
 * more (retry.ts).
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

  /** Resolves when Redis is connected; rejects with STORE_UNAVAILABLE when it does not answer. */
  static async open(options: ConnectionOptions, log: Log): Promise<RedisClient> {
    try {
      const servers = await openServers(options, log);
      return new RedisClient(servers, new CommandRetry(servers.reconnectWait, options.retryOnTimeout));
    } catch (error) {
      throw storeError(error);
    }
  }

  /**
   * A client on the same connections, whose commands wait while the gate is closed. The original client closes the
   * connections.
   */
  behind(gate: Gate): RedisClient {
    return new RedisClient(this.#servers, this.#retry, gate);
  }

  get topology(): Servers["topology"] {
    return this.#servers.topology;
  }

  /** `listener` is called when keys are found on another server than before; several times for one move. */
  onMoved(listener: () => void): void {
    this.#servers.onMoved(listener);
  }

  /** `listener` is called after a reconnect, with a test for its keys; before any command is sent on it. */
  onReconnected(listener: (holds: (key: string) => boolean) => void): void {
    this.#servers.onReconnected(listener);
  }

  /** Sends a command whose first argument is a key, or the name of an index, to the server that holds it. */
  command(...command: Command): Promise<Reply> {
    return this.#send(command, keyOf(command));
  }

  /** Sends a command without a key to the server that holds this key. */
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

  /** Sends all in one round trip; rejects when one fails, although the others are executed. */
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
   * Runs a script by its digest, and sends its text when Redis does not have it (a restart, SCRIPT FLUSH). `mayRetry`:
   * the script writes, and may still be retried. `weight`: the number of commands that it counts as while pending.
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
