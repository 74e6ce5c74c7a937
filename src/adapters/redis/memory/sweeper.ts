import type { Log } from "../../../ports/log.ts";
import type { RedisClient } from "../connection/client.ts";
import { isText, listOf, numberOf } from "../connection/replies.ts";
import { defineScript, list } from "../connection/script.ts";
import type { Keys, NamespaceKeys, PartitionKeys } from "../namespaces/keys.ts";
import { MEMORY, memoryKeys } from "./rows.ts";

const SWEEP = defineScript({
  file: new URL("./sweep-memories.lua", import.meta.url),
  libraries: [MEMORY],
  effect: "frees",
  arguments: ["now", "maxBytes", list("ids")],
  reply: (reply) => numberOf(listOf(reply)[1]),
});
const DROP = defineScript({
  file: new URL("./drop-namespace.lua", import.meta.url),
  libraries: [MEMORY],
  effect: "frees",
  keys: ["namespaceNames", "deleted", "cacheEntryPrefix", "cacheOrder", list("otherKeys")],
  arguments: ["limit"],
  reply: (reply) => ({ hasMore: isText(listOf(reply)[0], "MORE") }),
});

/**
 * What one script removes: taking a vector out of an index takes up to 0.6 ms of Redis' one thread with 384 numbers, and
 * more with more. Of what has ended it also counts terms, and stops when those of a long text are done.
 */
const STEP = 25;
const STEP_BYTES = 32 * 1024;

/** Steps of one sweep: searches wait for it. What is left is for the next one. */
const MAX_STEPS = 1000;

/** Between two rounds, so that a write pays for next to none. */
const PAUSE_MS = 1000;

/**
 * Removes what nobody finds any more: memories that have ended, and what deleted namespaces have left behind. Rounds are
 * asked for and never overlap; one that fails is logged, and the next begins where it ended.
 */
export class Sweeper implements AsyncDisposable {
  readonly #client: RedisClient;
  readonly #keys: Keys;
  readonly #log: Log;
  /** Partitions in which something may have ended, with the moment that was said last. */
  readonly #written = new Map<number, number>();
  #someDeleted = false;
  #round = Promise.resolve();
  /** A round is under way, or is followed by its pause. */
  #isBusy = false;
  #isAsked = false;
  #pause: NodeJS.Timeout | undefined;
  #isClosed = false;

  constructor(client: RedisClient, keys: Keys, log: Log) {
    this.#client = client;
    this.#keys = keys;
    this.#log = log;
  }

  /** Something was written to a partition at this moment. */
  afterWrite(partition: PartitionKeys, now: number): void {
    this.#written.set(partition.number, now);
    this.#ask();
  }

  /** A namespace was deleted, or may have been before this process began. */
  afterDeletion(): void {
    this.#someDeleted = true;
    this.#ask();
  }

  /** Removes memories of a partition that have ended, now: as good as all of them. Rejects as every command does. */
  async sweepEnded(partition: PartitionKeys, now: number): Promise<void> {
    let ended = STEP;
    for (let step = 0; step < MAX_STEPS && ended === STEP && !this.#isClosed; step += 1) {
      const members = listOf(
        await this.#client.command(
          "ZRANGE",
          partition.memoryExpiry,
          "-inf",
          now,
          "BYSCORE",
          "LIMIT",
          0,
          STEP,
        ),
      ).map(String);
      ended = members.length;
      await Promise.all(
        [...byNumber(members)].map(([number, ids]) => this.#sweepIn(partition.namespace(number), ids, now)),
      );
    }
  }

  async #sweepIn(namespace: NamespaceKeys, ids: readonly string[], now: number): Promise<void> {
    for (let done = 0; done < ids.length && !this.#isClosed; ) {
      done += await this.#client.run(SWEEP, {
        ...memoryKeys(namespace),
        namespaceId: namespace.number,
        ...{ now, maxBytes: STEP_BYTES, ids: ids.slice(done) },
      });
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#isClosed = true;
    clearTimeout(this.#pause);
    await this.#round;
  }

  /** One round at once, when the last one is long enough ago; else when it is. */
  #ask(): void {
    this.#isAsked = true;
    if (this.#isBusy || this.#isClosed) return;
    this.#isBusy = true;
    this.#isAsked = false;
    this.#round = this.#sweep().then(() => {
      if (this.#isClosed) return;
      this.#pause = setTimeout(() => {
        this.#isBusy = false;
        if (this.#isAsked) this.#ask();
      }, PAUSE_MS).unref();
    });
  }

  /** Never rejects. */
  async #sweep(): Promise<void> {
    const written = [...this.#written];
    const someDeleted = this.#someDeleted;
    this.#written.clear();
    this.#someDeleted = false;
    try {
      for (const [number, now] of written) await this.sweepEnded(this.#keys.partition(number), now);
      if (someDeleted) await this.#dropDeleted();
    } catch (error) {
      for (const [number, now] of written) this.#written.set(number, this.#written.get(number) ?? now);
      this.#someDeleted ||= someDeleted;
      if (this.#isClosed) return;
      this.#log.warn({ err: error }, "what has ended or was deleted could not be removed yet");
    }
  }

  async #dropDeleted(): Promise<void> {
    for (const partition of this.#keys.all()) {
      const deleted = listOf(await this.#client.command("SMEMBERS", partition.deleted)).map(String);
      for (const one of deleted) await this.#drop(partition, one);
    }
  }

  async #drop(partition: PartitionKeys, number: string): Promise<void> {
    const namespace = partition.namespace(number);
    const input = {
      ...memoryKeys(namespace),
      namespaceId: number,
      namespaceNames: partition.names,
      deleted: partition.deleted,
      cacheEntryPrefix: namespace.cacheEntries,
      cacheOrder: namespace.cacheOrder,
      otherKeys: namespace.wholeKeys,
      limit: STEP,
    };
    let hasMore = true;
    while (hasMore && !this.#isClosed) ({ hasMore } = await this.#client.run(DROP, input));
  }
}

/** Members `<number>/<id>`: the ids of each number. */
function byNumber(members: readonly string[]): Map<string, string[]> {
  const found = new Map<string, string[]>();
  for (const member of members) {
    const at = member.indexOf("/");
    const number = member.slice(0, at);
    const ids = found.get(number) ?? [];
    ids.push(member.slice(at + 1));
    found.set(number, ids);
  }
  return found;
}
