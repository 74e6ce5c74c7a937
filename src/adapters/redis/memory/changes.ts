import type { NamespaceKey } from "../../../domain/access/tenancy.ts";
import {
  type ChangeKind,
  changesAfter,
  endOfFeed,
  type FeedLimits,
  type FeedPosition,
  type FeedRead,
  type FeedRow,
} from "../../../domain/memory/changes.ts";
import type { ChangeFeed } from "../../../ports/memory/changes.ts";
import type { Sleep } from "../../../ports/sleep.ts";
import type { Command, RedisClient, Reply } from "../connection/client.ts";
import { listOf, textOf } from "../connection/replies.ts";
import { defineLibrary } from "../connection/script.ts";
import { scopeName } from "../namespaces/keys.ts";
import type { Namespaces } from "../namespaces/namespace-ids.ts";

/** Lua functions that append to the change feed; after MEMORY. */
export const FEED = defineLibrary({
  file: new URL("./feed-library.lua", import.meta.url),
  keys: ["changeFeed"],
  arguments: ["now", "maxChanges", "changeRetention"],
});

/** The arguments of FEED but the time. */
export function feedInput({ maxChanges, retentionMs }: FeedLimits) {
  return { maxChanges, changeRetention: retentionMs };
}

/** All watched namespaces are asked at this interval, in one round trip a server. */
const POLL_MS = 200;

/** A call that waits for changes after a position. */
interface Wait {
  readonly scope: NamespaceKey;
  readonly after: FeedPosition;
  readonly end: () => void;
}

/**
 * The change feeds, as streams. Redis is asked at an interval while a call waits: a blocking read would occupy a connection
 * for each, and a published message is lost while a connection is down.
 */
export class RedisChangeFeed implements ChangeFeed, AsyncDisposable {
  readonly #client: RedisClient;
  readonly #namespaces: Namespaces;
  readonly #sleep: Sleep;
  readonly #waits = new Set<Wait>();
  readonly #closed = new AbortController();
  #polling: Promise<void> | undefined;

  constructor(client: RedisClient, namespaces: Namespaces, sleep: Sleep) {
    this.#client = client;
    this.#namespaces = namespaces;
    this.#sleep = sleep;
  }

  async end(scope: NamespaceKey): Promise<FeedPosition> {
    let incarnation = "";
    const replies = await this.#namespaces.pipeline(scope, (namespace) => {
      incarnation = namespace.namespaceId;
      return [newestCommand(namespace.changeFeed)];
    });
    return endOfFeed(replies && { incarnation, newest: newestRow(replies[0]) });
  }

  async read(scope: NamespaceKey, after: FeedPosition, limit: number): Promise<FeedRead> {
    let incarnation = "";
    const replies = await this.#namespaces.pipeline(scope, (namespace) => {
      incarnation = namespace.namespaceId;
      const from = `${after.sequence}-0`;
      return [
        ["XRANGE", namespace.changeFeed, from, "+", "COUNT", limit + 1],
        newestCommand(namespace.changeFeed),
      ];
    });
    if (replies === undefined) return changesAfter(after, undefined);
    const [rows, newest] = replies;
    const last = newestRow(newest)?.sequence ?? 0;
    return changesAfter(after, { incarnation, last, rows: listOf(rows).map(feedRow) });
  }

  wait(scope: NamespaceKey, after: FeedPosition, signal: AbortSignal): Promise<void> {
    return new Promise((resolve) => {
      const end = (): void => {
        this.#waits.delete(wait);
        signal.removeEventListener("abort", end);
        resolve();
      };
      const wait: Wait = { scope, after, end };
      if (signal.aborted || this.#closed.signal.aborted) {
        resolve();
        return;
      }
      this.#waits.add(wait);
      signal.addEventListener("abort", end, { once: true });
      this.#polling ??= this.#poll().finally(() => {
        this.#polling = undefined;
      });
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#closed.abort();
    await this.#polling;
    this.#endAll(() => true);
  }

  /** Polls while there are waits. Never rejects. */
  async #poll(): Promise<void> {
    const { signal } = this.#closed;
    while (this.#waits.size > 0 && !signal.aborted) {
      try {
        await this.#sleep(POLL_MS, signal);
        await this.#ask();
      } catch {
        // The reads of the calls that waited fail with the reason, or succeed again.
        this.#endAll(() => true);
      }
    }
  }

  /** Ends the waits whose feeds have changed. */
  async #ask(): Promise<void> {
    const waits = [...this.#waits];
    const asked = new Map(waits.map((wait) => [keyOf(wait), wait]));
    const commands = [...asked.values()].flatMap(({ scope, after }): Command[] => {
      const partition = this.#namespaces.partition(scope);
      return [
        ["HGET", partition.namespaces, scopeName(scope)],
        newestCommand(partition.namespace(after.incarnation).changeFeed),
      ];
    });
    if (commands.length === 0) return;
    const replies = await this.#client.pipeline(commands);
    const ends = new Map<string, FeedPosition>();
    for (const [at, key] of [...asked.keys()].entries()) {
      const incarnation = textOf(replies[2 * at]);
      const newest = newestRow(replies[2 * at + 1]);
      ends.set(key, endOfFeed(incarnation === undefined ? undefined : { incarnation, newest }));
    }
    this.#endAll((wait) => {
      const end = ends.get(keyOf(wait));
      return end !== undefined && !isSame(end, wait.after);
    });
  }

  #endAll(which: (wait: Wait) => boolean): void {
    for (const wait of [...this.#waits]) if (which(wait)) wait.end();
  }
}

/** Waits of one namespace are asked for together. */
function keyOf({ scope, after }: Wait): string {
  return `${scopeName(scope)}:${after.incarnation}`;
}

function isSame(one: FeedPosition, other: FeedPosition): boolean {
  return (
    one.incarnation === other.incarnation && one.sequence === other.sequence && one.digest === other.digest
  );
}

function newestCommand(key: string): Command {
  return ["XREVRANGE", key, "+", "-", "COUNT", 1];
}

function newestRow(reply: Reply | undefined): FeedRow | undefined {
  const [entry] = listOf(reply);
  return entry === undefined ? undefined : feedRow(entry);
}

const KINDS: Readonly<Record<string, ChangeKind>> = {
  C: "CREATED",
  U: "UPDATED",
  D: "DELETED",
  S: "SUPERSEDED",
  A: "ARCHIVED",
  R: "RESTORED",
  E: "EXPIRED",
};

/** An entry of the stream: see feed-library.lua. */
function feedRow(entry: Reply): FeedRow {
  const [id, fields] = listOf(entry);
  const [sequence = 0, time = 0] = (textOf(id) ?? "").split("-").map(Number);
  if (sequence === 0) return { sequence: 0, time };
  const change = textOf(listOf(fields)[1]) ?? "";
  const kind = KINDS[change.slice(0, 1)];
  if (kind === undefined) throw new TypeError(`a change of an unknown kind: ${change.slice(0, 1)}`);
  return { sequence, time, kind, memoryId: change.slice(1) };
}
