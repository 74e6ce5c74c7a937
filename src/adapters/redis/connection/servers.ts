import type { ReconnectWait } from "./reconnect-wait.ts";

/** Bulk strings are buffers; missing values are null. */
export type Reply = Buffer | number | null | readonly Reply[];

export type Argument = string | number | Buffer;
export type Command = readonly [name: string, ...args: Argument[]];

/** A command, and a key by which it finds its server. Undefined: any server may answer. */
export interface Routed {
  readonly command: Command;
  readonly key: string | undefined;
  /** The command writes: it resolves when the configured number of replicas has the write. */
  readonly isChange?: boolean;
}

/**
 * The connections to a Redis of one or several servers. Without a connection, commands fail at once: nothing is queued.
 * Pending commands fail when their connection breaks; retry.ts retries some. Errors are those of the client library and
 * of Redis, unchanged.
 */
export interface Servers extends AsyncDisposable {
  readonly topology: "standalone" | "sentinel" | "cluster";
  /** The reconnect of the one connection; undefined when there are several. */
  readonly reconnectWait: ReconnectWait | undefined;
  send(routed: Routed): Promise<Reply>;
  /** Sends all in one round trip per server; resolves with the reply or error of each. */
  sendAll(all: readonly Routed[]): Promise<readonly (Reply | Error)[]>;
  /** Sends a command to each server that takes writes. */
  sendToEach(command: Command): Promise<readonly Reply[]>;
  /** `listener` is called when a command finds its keys on another server than before. */
  onMoved(listener: () => void): void;
  /** `listener` is called after a reconnect, with a test for its keys; before any command is sent on it. */
  onReconnected(listener: (holds: (key: string) => boolean) => void): void;
}
