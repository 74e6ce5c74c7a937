import { hash } from "node:crypto";
import type { Scope } from "../../../domain/access/tenancy.ts";

/**
 * The only place that spells a key. Everything of one partition carries its hash tag, so that a script may touch it in
 * one step; a namespace lies in one partition. Inside, keys name a namespace by its number: a random one that it gets
 * when it comes into being, and another one when it comes again after a deletion. So what a deleted namespace leaves
 * behind is found by nobody, and is removed behind.
 *
 * Names hold none of the separators: tenants and namespaces are `[a-z0-9._-]`, numbers are hexadecimal.
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
  partitionOf(scope: Scope): number {
    if (this.partitions === 1) return 0;
    return hash("sha1", scopeName(scope), "buffer").readUInt32BE(0) % this.partitions;
  }

  all(): readonly [PartitionKeys, ...PartitionKeys[]] {
    return this.#all;
  }

  /** The partition of a kept embedding, whose key is hexadecimal. */
  partitionOfEmbedding(key: string): number {
    return Number.parseInt(key.slice(0, 8), 16) % this.partitions;
  }

  partition(number: number): PartitionKeys {
    const keys = this.#all[number];
    if (keys === undefined) throw new RangeError(`there is no partition ${number}`);
    return keys;
  }
}

/** How a namespace is called inside its partition. */
export function scopeName({ tenant, namespace }: Scope): string {
  return `${tenant}:${namespace}`;
}

/** The namespace that is called so. */
export function scopeOf(name: string): Scope {
  const [tenant = "", namespace = ""] = name.split(":");
  return { tenant, namespace };
}

export class PartitionKeys {
  /** What every key of the partition begins with. */
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

  /** HASH: name of a namespace -> its number. */
  get namespaces(): string {
    return `${this.root}namespaces`;
  }

  /** HASH: number of a namespace -> its name; also of one that is deleted, until what it left is removed. */
  get names(): string {
    return `${this.root}names`;
  }

  /** ZSET, all scores 0: names of the namespaces of a tenant in this partition, in order of their bytes. */
  namesOf(tenant: string): string {
    return `${this.root}names:${tenant}`;
  }

  /** SET: numbers of deleted namespaces, of which something is left. */
  get deleted(): string {
    return `${this.root}deleted`;
  }

  /** ZSET by expire time: `<number>/<id>` of memories that end. */
  get memoryExpiry(): string {
    return `${this.root}ending`;
  }

  /** ZSET by due time: `<number>/<id>` of memories that have no vector; those whose text is refused come last. */
  get pending(): string {
    return `${this.root}waiting`;
  }

  /** ZSET by the time since which they wait: the same, without those whose text is refused. */
  get pendingSince(): string {
    return `${this.root}waiting:since`;
  }

  /** HASH: the same -> how often it was put off; absent: never. */
  get pendingAttempts(): string {
    return `${this.root}waiting:attempts`;
  }

  /** STRING: who rebuilds the indexes; in partition 0. */
  get rebuildLock(): string {
    return `${this.root}rebuild`;
  }

  /** ZSET, all scores 0: `<number>/<id>` of memories that have no vector of the new model yet. */
  get reembeddingTodo(): string {
    return `${this.root}reembedding:todo`;
  }

  /** HASH: `<number>/<id>` -> what the memory needs at the change beside its vector (see settle-reembedding.lua). */
  get reembeddingNotes(): string {
    return `${this.root}reembedding:notes`;
  }

  /** What the keys of all memories begin with: the prefix of their index. */
  get memories(): string {
    return `${this.root}m:`;
  }

  /** What the keys of all cache entries begin with: the prefix of their index. */
  get cacheEntries(): string {
    return `${this.root}c:`;
  }

  /** What the keys of all kept embeddings begin with. */
  get embeddings(): string {
    return `${this.root}e:`;
  }

  /** STRING: one kept embedding. */
  embedding(key: string): string {
    return `${this.embeddings}${key}`;
  }

  /** ZSET by place in the order of writing: keys of all kept embeddings. */
  get embeddingOrder(): string {
    return `${this.root}embeddings`;
  }

  /** STRING: what became of a request that outlives its namespace. */
  requestBeside(scope: Scope, key: string): string {
    return `${this.root}request:${scopeName(scope)}:${key}`;
  }

  namespace(number: string): NamespaceKeys {
    return new NamespaceKeys(this, number);
  }
}

export class NamespaceKeys {
  readonly partition: PartitionKeys;
  readonly number: string;

  constructor(partition: PartitionKeys, number: string) {
    this.partition = partition;
    this.number = number;
  }

  /**
   * HASH: `memories` and `terms` (of all of them, repetitions included); of the cache `exact_hits`, `semantic_hits`,
   * `misses`, `stores`, `evictions` and `cache_bytes`.
   */
  get counters(): string {
    return this.#key("counters");
  }

  /** HASH: one memory. */
  memory(id: string): string {
    return `${this.partition.memories}${this.number}:${id}`;
  }

  /** ZSET by create time: ids of all memories. */
  get order(): string {
    return this.#key("order");
  }

  /** ZSET, all scores 0, of active memories: see duplicateMember; the oldest of a key comes first. */
  get duplicates(): string {
    return this.#key("duplicates");
  }

  /** HASH: token of user, agent, session or state -> number of memories that have it; what a query plan goes by. */
  get sizes(): string {
    return this.#key("sizes");
  }

  /** HASH: term -> number of memories that hold it. */
  get documentFrequencies(): string {
    return this.#key("df");
  }

  /** HASH: token of a session (see memory-tokens.ts) -> last position that was given. */
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

  /** What the keys of the cache entries of this namespace begin with. */
  get cacheEntries(): string {
    return `${this.partition.cacheEntries}${this.number}:`;
  }

  /** HASH: one cache entry. */
  cacheEntry(id: string): string {
    return `${this.cacheEntries}${id}`;
  }

  /** ZSET by create time: ids of all cache entries. */
  get cacheOrder(): string {
    return this.#key("cache:order");
  }

  /** ZSET by keep score: ids of all cache entries; the lowest goes first when there is no room. */
  get cacheUses(): string {
    return this.#key("cache:uses");
  }

  /** ZSET by expire time: ids of all cache entries. */
  get cacheExpiry(): string {
    return this.#key("cache:ending");
  }

  /** HASH: id -> what lists, counts and plans have to know of a cache entry (see entry-fields.ts), as long as it counts. */
  get cacheFields(): string {
    return this.#key("cache:facts");
  }

  /** HASH: token of an answer scope -> number of its entries; what a query plan goes by. */
  get cacheSizes(): string {
    return this.#key("cache:sizes");
  }

  /** STRING: what became of a request. */
  request(key: string): string {
    return `${this.#key("request")}:${key}`;
  }

  /** All keys that there is one of. */
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
      this.cacheOrder,
      this.cacheUses,
      this.cacheExpiry,
      this.cacheFields,
      this.cacheSizes,
    ];
  }

  #key(what: string): string {
    return `${this.partition.root}n:${this.number}:${what}`;
  }
}
