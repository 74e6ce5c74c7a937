import type { NamespaceKey } from "../../../domain/access/tenancy.ts";
import type { CacheEntry } from "../../../domain/cache/entry.ts";
import type { CachePolicy } from "../../../domain/cache/policy.ts";
import type { RedisClient, Reply } from "../connection/client.ts";
import { beforeFlush } from "../connection/corking.ts";
import { asciiOf, bytesOf, listOf, numberOf, textOf } from "../connection/replies.ts";
import { defineScript, list, rows } from "../connection/script.ts";
import { type NamespaceRedisKeys, type PartitionKeys, scopeName } from "../namespaces/keys.ts";
import { MAX_NAMESPACE_RETRIES, type Namespaces, namespaceIsChanging } from "../namespaces/namespace-ids.ts";
import { unpackRecord } from "../namespaces/records.ts";
import type { CachedEntry, EntryCache } from "./entry-cache.ts";
import { type Invalidations, MAX_PENDING, NO_INVALIDATIONS } from "./invalidation-names.ts";
import { policyOf } from "./policies.ts";
import { INVALIDATION } from "./script.ts";

/** The reply for one entry: the cached version is current, it is absent, its new version, or the current namespaceId. */
type EntryReply =
  | "unchanged"
  | "absent"
  | { readonly version: string; readonly record: Buffer }
  | { readonly namespaceId: string | undefined };

const READ = defineScript({
  file: new URL("./read-cache-entries.lua", import.meta.url),
  libraries: [INVALIDATION],
  effect: "reads",
  keys: ["meta", "namespaces", list("scopeKeys")],
  arguments: ["maxPending", rows("scopes", ["name", "namespaceId", "count"]), list("versions")],
  reply: (reply) => {
    const [generation, policies, invalidations, ...entries] = listOf(reply);
    return {
      generation: numberOf(generation),
      policies: listOf(policies),
      invalidations: listOf(invalidations).map(invalidationsOf),
      entries: entries.map(entryReply),
    };
  },
});

/** The generation of the last one, or a list of that and of those that are not swept yet, with their generations. */
function invalidationsOf(reply: Reply): Invalidations {
  if (!Array.isArray(reply)) return { generation: numberOf(reply), pending: [] };
  const [generation, ...flat] = listOf(reply);
  const pending = Array.from({ length: flat.length / 2 }, (_, at) => ({
    name: asciiOf(flat[2 * at]) ?? "",
    generation: numberOf(flat[2 * at + 1]),
  }));
  return {
    generation: numberOf(generation),
    pending: pending.length > MAX_PENDING ? undefined : pending,
  };
}

function entryReply(reply: Reply): EntryReply {
  if (reply === 1) return "unchanged";
  if (reply === 0) return "absent";
  const [first, record, ...others] = listOf(reply);
  if (record === undefined && others.length === 0) return { namespaceId: textOf(first) };
  return { version: textOf(first) ?? "", record: bytesOf(record) ?? Buffer.alloc(0) };
}

/** Entries that one command reads: it blocks Redis for some 50 us. */
const MAX_TOGETHER = 64;

/** Sent instead of a version when no entry is requested. */
const NO_ENTRY = "-";

/** An entry, and the generation of its partition. */
export interface CacheRead {
  /** Expired or not. Undefined: there is none, it is invalidated, or none was requested. */
  readonly entry: CacheEntry | undefined;
  /** The generation of the vectors in the partition. */
  readonly generation: number;
  /** The policy of the namespace. */
  readonly policy: CachePolicy;
  /** Of the namespace. */
  readonly invalidations: Invalidations;
}

/** A read of one entry that is queued, or has been sent. */
interface PendingRead {
  readonly scope: NamespaceKey;
  /** By its cached namespaceId; the script checks it. */
  readonly namespace: NamespaceRedisKeys;
  /** Undefined: no entry is requested. */
  readonly id: string | undefined;
  readonly key: string;
  /** The cached entry and its version. */
  readonly cached: CachedEntry | undefined;
  readonly resolve: (read: CacheRead | undefined) => void;
  readonly reject: (error: unknown) => void;
}

/**
 * Reads entries. The reads of one tick of the event loop are batched into one command: most of the cost of a read is
 * that of its command, on both sides, and with more callers more reads share a tick.
 */
export class CacheReader {
  readonly #client: RedisClient;
  readonly #namespaces: Namespaces;
  readonly #entries: EntryCache;
  /** The reads queued in this tick, by partition. */
  #pending = new Map<PartitionKeys, PendingRead[]>();

  constructor(client: RedisClient, namespaces: Namespaces, entries: EntryCache) {
    this.#client = client;
    this.#namespaces = namespaces;
    this.#entries = entries;
  }

  /** Clears the cached entries. */
  clearCache(): void {
    this.#entries.clear();
  }

  /** The entry, unless it has expired. */
  async find(scope: NamespaceKey, id: string, now: number): Promise<CacheEntry | undefined> {
    return liveAt(now, (await this.readIn(scope, id))?.entry);
  }

  /** As `read`, in a namespace of which only the name is known; undefined when it does not exist. */
  async readIn(scope: NamespaceKey, id?: string): Promise<CacheRead | undefined> {
    for (let tries = 0; tries < MAX_NAMESPACE_RETRIES; tries += 1) {
      const namespace = await this.#namespaces.find(scope);
      if (namespace === undefined) return undefined;
      const read = await this.read(scope, namespace, id);
      if (read !== undefined) return read;
    }
    throw namespaceIsChanging();
  }

  /**
   * Reads an entry, expired or not, in a namespace whose id the caller has from a cache. Undefined when that id is wrong;
   * the cached id is then corrected. Without an id of an entry, it only checks the namespace.
   */
  read(scope: NamespaceKey, namespace: NamespaceRedisKeys, id?: string): Promise<CacheRead | undefined> {
    const { partition } = namespace;
    const key = id === undefined ? partition.meta : namespace.cacheEntry(id);
    const cached = id === undefined ? undefined : this.#entries.get(key);
    return new Promise((resolve, reject) => {
      if (this.#pending.size === 0) beforeFlush(() => this.#sendAll());
      const reads = this.#pending.get(partition) ?? [];
      reads.push({ scope, namespace, id, key, cached, resolve, reject });
      this.#pending.set(partition, reads);
    });
  }

  #sendAll(): void {
    const all = this.#pending;
    this.#pending = new Map();
    for (const [partition, reads] of all) {
      for (let from = 0; from < reads.length; from += MAX_TOGETHER) {
        this.#send(partition, reads.slice(from, from + MAX_TOGETHER));
      }
    }
  }

  #send({ meta, namespaces }: PartitionKeys, reads: readonly PendingRead[]): void {
    const scopes = scopesOf(reads);
    const input = {
      meta,
      namespaces,
      maxPending: MAX_PENDING,
      scopeKeys: scopes.flatMap(({ namespace, keys }) => [
        namespace.cachePolicy,
        namespace.counters,
        namespace.cacheInvalidations,
        ...keys,
      ]),
      scopes: scopes.map(({ name, namespace: { namespaceId }, keys }) => ({
        ...{ name, namespaceId, count: keys.length },
      })),
      versions: reads.map(({ id, cached }) => (id === undefined ? NO_ENTRY : (cached?.version ?? ""))),
    };
    this.#client.run(READ, input, { weight: reads.length }).then(
      ({ generation, policies, invalidations, entries }) => {
        let nth = 0;
        for (const [at, { keys }] of scopes.entries()) {
          const of = {
            generation,
            policy: policies[at],
            invalidations: invalidations[at] ?? NO_INVALIDATIONS,
          };
          for (const read of reads.slice(nth, nth + keys.length)) {
            this.#settle(read, entries[nth] ?? "absent", of);
            nth += 1;
          }
        }
      },
      (error: unknown) => {
        for (const { reject } of reads) reject(error);
      },
    );
  }

  #settle(
    { scope, id, key, cached, resolve, reject }: PendingRead,
    reply: EntryReply,
    read: Omit<CacheRead, "entry" | "policy"> & { readonly policy: Reply | undefined },
  ): void {
    if (typeof reply !== "string" && "namespaceId" in reply) {
      this.#namespaces.correct(scope, reply.namespaceId);
      resolve(undefined);
      return;
    }
    try {
      const of = { ...read, policy: policyOf(read.policy) };
      if (reply === "unchanged") resolve({ entry: cached?.entry, ...of });
      else if (reply === "absent") {
        if (cached !== undefined) this.#entries.delete(key);
        resolve({ entry: undefined, ...of });
      } else {
        const entry = unpackRecord<CacheEntry>(reply.record, `cache entry ${id}`);
        this.#entries.set(key, { version: reply.version, entry });
        resolve({ entry, ...of });
      }
    } catch (error) {
      // A damaged record only fails this read.
      reject(error);
    }
  }
}

/** Consecutive reads of one namespace. */
interface ReadScope {
  readonly name: string;
  readonly namespace: NamespaceRedisKeys;
  /** Of the entries. */
  readonly keys: string[];
}

/** Groups consecutive reads of one namespace, whose id and invalidations the script then looks up once. */
function scopesOf(reads: readonly PendingRead[]): ReadScope[] {
  const scopes: ReadScope[] = [];
  for (const { scope, namespace, key } of reads) {
    const name = scopeName(scope);
    const last = scopes.at(-1);
    if (last?.name === name && last.namespace.namespaceId === namespace.namespaceId) last.keys.push(key);
    else scopes.push({ name, namespace, keys: [key] });
  }
  return scopes;
}

export function liveAt(now: number, entry: CacheEntry | undefined): CacheEntry | undefined {
  return entry !== undefined && entry.expireTime > now ? entry : undefined;
}
