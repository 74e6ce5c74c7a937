import type { ReconnectWait } from "./reconnect-wait.ts";

/** Bulk strings come as bytes; what is missing as null. */
export type Reply = Buffer | number | null | readonly Reply[];

export type Argument = string | number | Buffer;
export type Command = readonly [name: string, ...args: Argument[]];

/** A command, and a key by which it finds its server. Undefined: any server may answer. */
export interface Routed {
  readonly command: Command;
  readonly key: string | undefined;
  /** It changes data: answered when as many replicas have it as the settings ask for. */
  readonly isChange?: boolean;
}

/**
 * The connections to a Redis, of one server or of several. While there is none, commands fail at once: nothing queues
 * up. Commands that were not answered when a connection breaks fail too: retry.ts repeats some. Errors are those of the
 * client library and of Redis, as they are.
 */
export interface Servers extends AsyncDisposable {
  readonly topology: "standalone" | "sentinel" | "cluster";
  /** Of the one connection; undefined where there are several. */
  readonly reconnectWait: ReconnectWait | undefined;
  send(routed: Routed): Promise<Reply>;
  /** Sends all of them in one round trip (one to each server that is needed); answers what became of each. */
  sendAll(all: readonly Routed[]): Promise<readonly (Reply | Error)[]>;
  /** Sends a command to each server that takes writes. */
  sendToEach(command: Command): Promise<readonly Reply[]>;
  /** Calls this when keys are found on another server than before; for each command that finds it so. */
  onMoved(listener: () => void): void;
  /** Calls this when a connection was made again, with which keys lie behind it; before any command is sent on it. */
  onReconnected(listener: (holds: (key: string) => boolean) => void): void;
}
