import { hash } from "node:crypto";
import type { NamespaceKey } from "../../../domain/access/tenancy.ts";
import { SCORE_ORDERS, type ScoreOrder } from "../../../domain/cache/eviction.ts";

/**
 * The only module that spells keys. All keys of a partition carry its hash tag, so that one script may use them; a
 * namespace is in one partition. Keys contain the namespaceId, a random one that a namespace gets each time that it is
 * created. So the data of a deleted namespace cannot be reached, and is removed in the background.
 *
 * Names hold none of the separators: tenants and namespaces are `[a-z0-9._-]`, namespace ids are hexadecimal.
 */
export class Keys {
  readonly partitions: number;
  /** Whether partitions may lie on different servers, so that names of indexes have to say where. */
  readonly isCluster: boolean;
  readonly #all: readonly [PartitionKeys, ...PartitionKeys[]];

  constructor(prefix: string, partitions: number, { isCluster = partitions > 1 } = {}) {
    this.partitions = partitions;
    this.isCluster = isCluster;
    const keysOf = (number: number): PartitionKeys =>
      new PartitionKeys(`${prefix}{p${String(number).padStart(2, "0")}}:`, number);
    this.#all = [keysOf(0), ...Array.from({ length: partitions - 1 }, (_, at) => keysOf(at + 1))];
  }

  /** The partition of a namespace, from 0. */
  partitionOf(scope: NamespaceKey): number {
    if (this.partitions === 1) return 0;
    return hash("sha1", scopeName(scope), "buffer").readUInt32BE(0) % this.partitions;
  }

  all(): readonly [PartitionKeys, ...PartitionKeys[]] {
    return this.#all;
  }

  /** The partition of a cached embedding, whose key is hexadecimal. */
  partitionOfEmbedding(key: string): number {
    return Number.parseInt(key.slice(0, 8), 16) % this.partitions;
  }

  partition(number: number): PartitionKeys {
    const keys = this.#all[number];
    if (keys === undefined) throw new RangeError(`there is no partition ${number}`);
    return keys;
  }
}

/** The name of a namespace inside its partition. */
export function scopeName({ tenant, namespace }: NamespaceKey): string {
  return `${tenant}:${namespace}`;
}

/** The namespace of such a name. */
export function namespaceKeyOf(name: string): NamespaceKey {
  const [tenant = "", namespace = ""] = name.split(":");
  return { tenant, namespace };
}

export class PartitionKeys {
  /** The prefix of every key of the partition. */
  readonly root: string;
  readonly number: number;

  constructor(root: string, number: number) {
    this.root = root;
    this.number = number;
  }

  /**
   * HASH: format, partitions, `store` and `changes` (see store-identity.ts), model and generation of the vectors; in
   * partition 0 the server's secret too.
   */
  get meta(): string {
    return `${this.root}meta`;
  }

  /** HASH: name of a namespace -> its namespaceId. */
  get namespaces(): string {
    return `${this.root}namespaces`;
  }

  /** HASH: namespaceId -> name; also of a namespace that is deleted, until its data is removed. */
  get names(): string {
    return `${this.root}names`;
  }

  /** ZSET, all scores 0: names of the namespaces of a tenant in this partition, in order of their bytes. */
  namesOf(tenant: string): string {
    return `${this.root}names:${tenant}`;
  }

  /** SET: ids of deleted namespaces whose data is not all removed yet. */
  get deleted(): string {
    return `${this.root}deleted`;
  }

  /** ZSET by expire time: `<namespaceId>/<id>` of memories that expire. */
  get memoryExpiry(): string {
    return `${this.root}ending`;
  }

  /** ZSET by due time: `<namespaceId>/<id>` of pending memories; those whose text is refused come last. */
  get pending(): string {
    return `${this.root}waiting`;
  }

  /** ZSET by the time since which they are pending: the same, without those whose text is refused. */
  get pendingSince(): string {
    return `${this.root}waiting:since`;
  }

  /** HASH: the same -> how often it was postponed; absent: never. */
  get pendingAttempts(): string {
    return `${this.root}waiting:attempts`;
  }

  /** STRING: token of the process that rebuilds the indexes; in partition 0. */
  get rebuildLock(): string {
    return `${this.root}rebuild`;
  }

  /** ZSET, all scores 0: `<namespaceId>/<id>` of memories that have no vector of the new model yet. */
  get reembeddingTodo(): string {
    return `${this.root}reembedding:todo`;
  }

  /** HASH: `<namespaceId>/<id>` -> note for the cut-over, beside the vector (see settle-reembedding.lua). */
  get reembeddingNotes(): string {
    return `${this.root}reembedding:notes`;
  }

  /** ZSET by the time of the first change: `<namespaceId>/<user>` of users whose memories have changed since their last compaction. */
  get changedScopes(): string {
    return `${this.root}changed`;
  }

  /** ZSET by the number of changes: the same. */
  get changedScopeCounts(): string {
    return `${this.root}changed:counts`;
  }

  /** ZSET by the time from which any process may continue it: `<id>/<namespaceId>` of compactions that have not ended. */
  get unfinishedCompactions(): string {
    return `${this.root}compaction:unfinished`;
  }

  /** ZSET by end time: `<id>/<namespaceId>` of compactions that have ended. */
  get endedCompactions(): string {
    return `${this.root}compaction:ended`;
  }

  /** The key prefix of all memories, and of their index. */
  get memories(): string {
    return `${this.root}m:`;
  }

  /** The key prefix of all cache entries, and of their index. */
  get cacheEntries(): string {
    return `${this.root}c:`;
  }

  /** The key prefix of all cached embeddings. */
  get embeddings(): string {
    return `${this.root}e:`;
  }

  /** STRING: one cached embedding. */
  embedding(key: string): string {
    return `${this.embeddings}${key}`;
  }

  /** ZSET in the order of writing: keys of all cached embeddings. */
  get embeddingOrder(): string {
    return `${this.root}embeddings`;
  }

  /** STRING: the idempotency record of a request that outlives its namespace. */
  requestBeside(scope: NamespaceKey, key: string): string {
    return `${this.root}request:${scopeName(scope)}:${key}`;
  }

  namespace(namespaceId: string): NamespaceRedisKeys {
    return new NamespaceRedisKeys(this, namespaceId);
  }
}

export class NamespaceRedisKeys {
  readonly partition: PartitionKeys;
  readonly namespaceId: string;

  constructor(partition: PartitionKeys, namespaceId: string) {
    this.partition = partition;
    this.namespaceId = namespaceId;
  }

  /**
   * HASH: `memories` and `terms` (of all of them, repetitions included); of the cache `exact_hits`, `semantic_hits`,
   * `misses`, `stores`, `evictions`, `cache_bytes`, `cache_rule` and `cache_clock` (of scores), `cache_sequence` (of
   * remembered ids), and the state of its invalidations (see invalidation-library.lua).
   */
  get counters(): string {
    return this.#key("counters");
  }

  /** HASH: one memory. */
  memory(id: string): string {
    return `${this.partition.memories}${this.namespaceId}:${id}`;
  }

  /** ZSET by create time: ids of all memories. */
  get order(): string {
    return this.#key("order");
  }

  /** ZSET, all scores 0, of active memories: see duplicateMember; the oldest of a key comes first. */
  get duplicates(): string {
    return this.#key("duplicates");
  }

  /** HASH: token of user, agent, session or state -> number of memories that have it; used by query plans. */
  get sizes(): string {
    return this.#key("sizes");
  }

  /** HASH: term -> number of memories that hold it. */
  get documentFrequencies(): string {
    return this.#key("df");
  }

  /** HASH: token of a session (see tokens.ts) -> last assigned position. */
  get lastPositions(): string {
    return this.#key("positions");
  }

  /** ZSET by position: ids of the memories of a session, which its token names. */
  session(token: string): string {
    return `${this.#key("session")}:${token}`;
  }

  /** HASH: id -> how often it was accessed. */
  get accessCounts(): string {
    return this.#key("access");
  }

  /** ZSET by time of the last access: ids. */
  get lastAccesses(): string {
    return this.#key("accessed");
  }

  /** STREAM: the change feed (see feed-library.lua). */
  get changeFeed(): string {
    return this.#key("feed");
  }

  /** HASH: number -> `<replace time> <record>`, of the kept revisions of a memory; absent: none. */
  revisions(id: string): string {
    return `${this.#key("revisions")}:${id}`;
  }

  /** The key prefix of the cache entries of this namespace. */
  get cacheEntries(): string {
    return `${this.partition.cacheEntries}${this.namespaceId}:`;
  }

  /** HASH: one cache entry. */
  cacheEntry(id: string): string {
    return `${this.cacheEntries}${id}`;
  }

  /** ZSET by create time: ids of all cache entries. */
  get cacheOrder(): string {
    return this.#key("cache:order");
  }

  /** ZSET by keep score: ids of the cache entries that are scored in this order; the lowest is evicted first. */
  cacheUses(order: ScoreOrder = "lru"): string {
    const key = this.#key("cache:uses");
    return order === "lru" ? key : `${key}:${order}`;
  }

  /**
   * HASH: id -> `<order> <uses> <last use> <cost>` of a cache entry, or `- <uses>` of one in cacheRemembered.
   */
  get cacheUsage(): string {
    return this.#key("cache:usage");
  }

  /** ZSET in the order of remembering: ids that are not stored, and whose uses are remembered. */
  get cacheRemembered(): string {
    return this.#key("cache:remembered");
  }

  /** ZSET by expire time: ids of all cache entries. */
  get cacheExpiry(): string {
    return this.#key("cache:ending");
  }

  /**
   * HASH: id -> fields of a cache entry that lists, counts and plans read (see entry-fields.ts), until it is removed.
   */
  get cacheFields(): string {
    return this.#key("cache:facts");
  }

  /** HASH: token of a cache scope -> number of its entries; used by query plans. */
  get cacheSizes(): string {
    return this.#key("cache:sizes");
  }

  /** ZSET by generation: names of invalidations (see invalidation-names.ts). */
  get cacheInvalidations(): string {
    return this.#key("cache:invalidated");
  }

  /** ZSET by the time until which they are claimed: ids of cache entries that a caller refreshes. */
  get cacheRefreshing(): string {
    return this.#key("cache:refreshing");
  }

  /** HASH: etag and record of the cache policy; absent: it was never changed. */
  get cachePolicy(): string {
    return this.#key("cache:policy");
  }

  /** ZSET by create time: ids of all compactions. */
  get compactionOrder(): string {
    return this.#key("compaction:order");
  }

  /** HASH of compactions that have not ended: `*` (every user) or `u<user>` -> id. */
  get activeCompactions(): string {
    return this.#key("compaction:active");
  }

  /** HASH: one compaction: its record, version, and lease. */
  compaction(id: string): string {
    return `${this.#key("compaction:run")}:${id}`;
  }

  /** HASH: number -> record of a group of the plan of a compaction. */
  compactionGroups(id: string): string {
    return `${this.#key("compaction:groups")}:${id}`;
  }

  /** HASH: etag and record of the compaction policy; absent: none. */
  get compactionPolicy(): string {
    return this.#key("compaction:policy");
  }

  /** STRING: the idempotency record of a request. */
  request(key: string): string {
    return `${this.#key("request")}:${key}`;
  }

  /** All keys without a suffix. */
  get wholeKeys(): readonly string[] {
    return [
      this.counters,
      this.order,
      this.duplicates,
      this.sizes,
      this.documentFrequencies,
      this.lastPositions,
      this.accessCounts,
      this.lastAccesses,
      this.changeFeed,
      this.cacheOrder,
      ...SCORE_ORDERS.map((order) => this.cacheUses(order)),
      this.cacheUsage,
      this.cacheRemembered,
      this.cacheExpiry,
      this.cacheFields,
      this.cacheSizes,
      this.cacheInvalidations,
      this.cacheRefreshing,
      this.cachePolicy,
      this.compactionOrder,
      this.activeCompactions,
      this.compactionPolicy,
    ];
  }

  #key(what: string): string {
    return `${this.partition.root}n:${this.namespaceId}:${what}`;
  }
}
