import type { FeedLimits } from "../../../domain/memory/changes.ts";
import type { Log } from "../../../ports/log.ts";
import type { RedisClient } from "../connection/client.ts";
import { isText, listOf, numberOf, textOf } from "../connection/replies.ts";
import { defineScript, list } from "../connection/script.ts";
import type { Keys, NamespaceRedisKeys, PartitionKeys } from "../namespaces/keys.ts";
import { FEED, feedInput } from "./changes.ts";
import { MEMORY, memoryKeys } from "./rows.ts";

const SWEEP = defineScript({
  file: new URL("./sweep-memories.lua", import.meta.url),
  libraries: [MEMORY, FEED],
  effect: "frees",
  arguments: ["now", "maxBytes", list("ids")],
  reply: (reply) => numberOf(listOf(reply)[1]),
});
const DROP = defineScript({
  file: new URL("./drop-namespace.lua", import.meta.url),
  libraries: [MEMORY],
  effect: "frees",
  keys: [
    ...(["namespaceNames", "deleted", "cacheEntryPrefix", "cacheOrder", "compactionOrder"] as const),
    ...(["compactionPrefix", "compactionGroupsPrefix", "unfinishedCompactions", "endedCompactions"] as const),
    list("otherKeys"),
  ],
  arguments: ["limit"],
  reply: (reply) => ({ hasMore: isText(listOf(reply)[0], "MORE") }),
});

/**
 * What one script removes: removing a vector from an index takes up to 0.6 ms of Redis' one thread with 384 numbers, and
 * more with more. A script that removes expired memories is also bounded by their terms, so it stops after a long text.
 */
const STEP = 25;
const STEP_BYTES = 32 * 1024;

/** Members that one step of a scan reads. */
const SCAN_STEP = 500;

/** Steps of one sweep, for which searches wait. The next sweep continues. */
const MAX_STEPS = 1000;

/** Pause between two rounds, so that writes are hardly slowed down. */
const PAUSE_MS = 1000;

/**
 * Removes unreachable data: expired memories, and the data of deleted namespaces. Rounds never overlap; a failure is
 * logged, and the next round continues where it stopped.
 */
export class Sweeper implements AsyncDisposable {
  readonly #client: RedisClient;
  readonly #keys: Keys;
  readonly #feedLimits: FeedLimits;
  readonly #log: Log;
  /** Partitions in which memories may have expired, with the time of the last write. */
  readonly #writeTimes = new Map<number, number>();
  #hasDeleted = false;
  #round = Promise.resolve();
  /** Whether a round, or the pause after it, is in progress. */
  #isBusy = false;
  #isRequested = false;
  #pause: NodeJS.Timeout | undefined;
  #isClosed = false;

  constructor(client: RedisClient, keys: Keys, feedLimits: FeedLimits, log: Log) {
    this.#client = client;
    this.#keys = keys;
    this.#feedLimits = feedLimits;
    this.#log = log;
  }

  /** Call after a write to a partition, with its time. */
  afterWrite(partition: PartitionKeys, now: number): void {
    this.#writeTimes.set(partition.number, now);
    this.#request();
  }

  /** Call after a namespace was deleted, and at the start. */
  afterDeletion(): void {
    this.#hasDeleted = true;
    this.#request();
  }

  /** Removes expired memories of a partition, up to a bound. Rejects like any command. */
  async sweepExpired(partition: PartitionKeys, now: number): Promise<void> {
    let found = STEP;
    for (let step = 0; step < MAX_STEPS && found === STEP && !this.#isClosed; step += 1) {
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
      found = members.length;
      await Promise.all(
        [...byNamespace(members)].map(([namespaceId, ids]) =>
          this.#sweepIn(partition.namespace(namespaceId), ids, now),
        ),
      );
    }
  }

  async #sweepIn(namespace: NamespaceRedisKeys, ids: readonly string[], now: number): Promise<void> {
    for (let done = 0; done < ids.length && !this.#isClosed; ) {
      done += await this.#client.run(SWEEP, {
        ...memoryKeys(namespace),
        ...feedInput(this.#feedLimits),
        namespaceId: namespace.namespaceId,
        ...{ now, maxBytes: STEP_BYTES, ids: ids.slice(done) },
      });
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#isClosed = true;
    clearTimeout(this.#pause);
    await this.#round;
  }

  /** Starts a round, at once or after the pause that follows the last one. */
  #request(): void {
    this.#isRequested = true;
    if (this.#isBusy || this.#isClosed) return;
    this.#isBusy = true;
    this.#isRequested = false;
    this.#round = this.#sweep().then(() => {
      if (this.#isClosed) return;
      this.#pause = setTimeout(() => {
        this.#isBusy = false;
        if (this.#isRequested) this.#request();
      }, PAUSE_MS).unref();
    });
  }

  /** Never rejects. */
  async #sweep(): Promise<void> {
    const writeTimes = [...this.#writeTimes];
    const hasDeleted = this.#hasDeleted;
    this.#writeTimes.clear();
    this.#hasDeleted = false;
    try {
      for (const [number, now] of writeTimes) await this.sweepExpired(this.#keys.partition(number), now);
      if (hasDeleted) await this.#dropDeleted();
    } catch (error) {
      for (const [number, now] of writeTimes)
        this.#writeTimes.set(number, this.#writeTimes.get(number) ?? now);
      this.#hasDeleted ||= hasDeleted;
      if (this.#isClosed) return;
      this.#log.warn({ err: error }, "expired memories or deleted namespaces could not be removed yet");
    }
  }

  async #dropDeleted(): Promise<void> {
    for (const partition of this.#keys.all()) {
      const deleted = listOf(await this.#client.command("SMEMBERS", partition.deleted)).map(String);
      if (deleted.length > 0) await this.#dropChangedScopes(partition, new Set(deleted));
      for (const namespaceId of deleted) await this.#drop(partition, namespaceId);
    }
  }

  /** One scan for all deleted namespaces: the members are not in the order of their namespaces. */
  async #dropChangedScopes(partition: PartitionKeys, deleted: ReadonlySet<string>): Promise<void> {
    const { changedScopes, changedScopeCounts } = partition;
    let cursor = "0";
    do {
      const scanned = await this.#client.command("ZSCAN", changedScopes, cursor, "COUNT", SCAN_STEP);
      const [next = null, found = null] = listOf(scanned);
      const members = listOf(found)
        .filter((_, at) => at % 2 === 0)
        .map(String)
        .filter((member) => deleted.has(member.slice(0, member.indexOf("/"))));
      if (members.length > 0) {
        await this.#client.command("ZREM", changedScopes, ...members);
        await this.#client.command("ZREM", changedScopeCounts, ...members);
      }
      cursor = textOf(next) ?? "0";
    } while (cursor !== "0" && !this.#isClosed);
  }

  async #drop(partition: PartitionKeys, namespaceId: string): Promise<void> {
    const namespace = partition.namespace(namespaceId);
    const input = {
      ...memoryKeys(namespace),
      namespaceId,
      namespaceNames: partition.names,
      deleted: partition.deleted,
      cacheEntryPrefix: namespace.cacheEntries,
      cacheOrder: namespace.cacheOrder,
      compactionOrder: namespace.compactionOrder,
      compactionPrefix: namespace.compaction(""),
      compactionGroupsPrefix: namespace.compactionGroups(""),
      unfinishedCompactions: partition.unfinishedCompactions,
      endedCompactions: partition.endedCompactions,
      otherKeys: namespace.wholeKeys,
      limit: STEP,
    };
    let hasMore = true;
    while (hasMore && !this.#isClosed) ({ hasMore } = await this.#client.run(DROP, input));
  }
}

/** Members `<namespaceId>/<id>`: the ids of each namespace. */
function byNamespace(members: readonly string[]): Map<string, string[]> {
  const found = new Map<string, string[]>();
  for (const member of members) {
    const at = member.indexOf("/");
    const namespaceId = member.slice(0, at);
    const ids = found.get(namespaceId) ?? [];
    ids.push(member.slice(at + 1));
    found.set(namespaceId, ids);
  }
  return found;
}
