import type { NamespaceKey } from "../../../domain/access/tenancy.ts";
import type { CacheEntry } from "../../../domain/cache/entry.ts";
import type { RedisClient, Reply } from "../connection/client.ts";
import { beforeFlush } from "../connection/corking.ts";
import { bytesOf, listOf, numberOf, textOf } from "../connection/replies.ts";
import { defineScript, list, rows } from "../connection/script.ts";
import { type NamespaceRedisKeys, type PartitionKeys, scopeName } from "../namespaces/keys.ts";
import { MAX_NAMESPACE_RETRIES, type Namespaces, namespaceIsChanging } from "../namespaces/namespace-ids.ts";
import { unpackRecord } from "../namespaces/records.ts";
import type { CachedEntry, EntryCache } from "./entry-cache.ts";

/** What Redis says of an entry: it is as the caller has it, there is none, what it is now, or another id of its namespace. */
type EntryReply =
  | "unchanged"
  | "absent"
  | { readonly version: string; readonly record: Buffer }
  | { readonly namespaceId: string | undefined };

const READ = defineScript({
  file: new URL("./read-cache-entries.lua", import.meta.url),
  effect: "reads",
  keys: ["meta", "namespaces", list("entries")],
  arguments: [rows("scopes", ["name", "namespaceId", "count"]), list("versions")],
  reply: (reply) => {
    const [generation, ...entries] = listOf(reply);
    return { generation: numberOf(generation), entries: entries.map(entryReply) };
  },
});

function entryReply(reply: Reply): EntryReply {
  if (reply === 1) return "unchanged";
  if (reply === 0) return "absent";
  const [first, record, ...others] = listOf(reply);
  if (record === undefined && others.length === 0) return { namespaceId: textOf(first) };
  return { version: textOf(first) ?? "", record: bytesOf(record) ?? Buffer.alloc(0) };
}

/** Entries that one command reads: it holds Redis up for some 50 us. */
const MAX_TOGETHER = 64;

/** In the place of a version: no entry is asked for. */
const NO_ENTRY = "-";

/** What Redis answers about an entry and its partition. */
export interface CacheRead {
  /** Expired or not. Undefined: there is none, or none was asked for. */
  readonly entry: CacheEntry | undefined;
  /** Of the vectors of the partition. */
  readonly generation: number;
}

/** A read of one entry that waits for its command or for the reply. */
interface PendingRead {
  readonly scope: NamespaceKey;
  /** As this process knows it; Redis says whether it is still the same. */
  readonly namespace: NamespaceRedisKeys;
  /** Undefined: no entry is asked for. */
  readonly id: string | undefined;
  readonly key: string;
  /** The entry as this process has it. */
  readonly cached: CachedEntry | undefined;
  readonly resolve: (read: CacheRead | undefined) => void;
  readonly reject: (error: unknown) => void;
}

/**
 * Reads entries: those that are asked for in one turn of the event loop by one command. A command costs both sides most of
 * what such a read costs, and the more callers there are, the more of them ask in one turn.
 */
export class CacheReader {
  readonly #client: RedisClient;
  readonly #namespaces: Namespaces;
  readonly #entries: EntryCache;
  /** What was asked for in this turn. */
  #pending = new Map<PartitionKeys, PendingRead[]>();

  constructor(client: RedisClient, namespaces: Namespaces, entries: EntryCache) {
    this.#client = client;
    this.#namespaces = namespaces;
    this.#entries = entries;
  }

  /** Forgets what was read before. */
  clearCache(): void {
    this.#entries.clear();
  }

  /** The entry, unless it has expired. */
  async find(scope: NamespaceKey, id: string, now: number): Promise<CacheEntry | undefined> {
    for (let tries = 0; tries < MAX_NAMESPACE_RETRIES; tries += 1) {
      const namespace = await this.#namespaces.find(scope);
      if (namespace === undefined) return undefined;
      const read = await this.read(scope, namespace, id);
      if (read !== undefined) return liveAt(now, read.entry);
    }
    throw namespaceIsChanging();
  }

  /**
   * The same inside a namespace as the caller knows it. Undefined when that is not there any more; what is there instead
   * is known then. Without an id, it says whether the namespace is there.
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
    const input = {
      meta,
      namespaces,
      entries: reads.map(({ key }) => key),
      scopes: scopesOf(reads),
      versions: reads.map(({ id, cached }) => (id === undefined ? NO_ENTRY : (cached?.version ?? ""))),
    };
    this.#client.run(READ, input, { weight: reads.length }).then(
      ({ generation, entries }) => {
        for (const [nth, read] of reads.entries()) this.#settle(read, entries[nth] ?? "absent", generation);
      },
      (error: unknown) => {
        for (const { reject } of reads) reject(error);
      },
    );
  }

  #settle(
    { scope, id, key, cached, resolve, reject }: PendingRead,
    reply: EntryReply,
    generation: number,
  ): void {
    if (reply === "unchanged") resolve({ entry: cached?.entry, generation });
    else if (reply === "absent") {
      if (cached !== undefined) this.#entries.delete(key);
      resolve({ entry: undefined, generation });
    } else if ("namespaceId" in reply) {
      this.#namespaces.correct(scope, reply.namespaceId);
      resolve(undefined);
    } else {
      try {
        const entry = unpackRecord<CacheEntry>(reply.record, `cache entry ${id}`);
        this.#entries.set(key, { version: reply.version, entry });
        resolve({ entry, generation });
      } catch (error) {
        // A record that cannot be read concerns this read alone.
        reject(error);
      }
    }
  }
}

/** Entries in a row that are in one namespace, whose id Redis then looks up once. */
function scopesOf(reads: readonly PendingRead[]): { name: string; namespaceId: string; count: number }[] {
  const scopes: { name: string; namespaceId: string; count: number }[] = [];
  for (const { scope, namespace } of reads) {
    const name = scopeName(scope);
    const last = scopes.at(-1);
    if (last?.name === name && last.namespaceId === namespace.namespaceId) last.count += 1;
    else scopes.push({ name, namespaceId: namespace.namespaceId, count: 1 });
  }
  return scopes;
}

export function liveAt(now: number, entry: CacheEntry | undefined): CacheEntry | undefined {
  return entry !== undefined && entry.expireTime > now ? entry : undefined;
}
