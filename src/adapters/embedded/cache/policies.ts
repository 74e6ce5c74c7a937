import { LRUCache } from "lru-cache";
import type { NamespaceKey } from "../../../domain/access/tenancy.ts";
import { cachePolicyEtag, NO_CACHE_POLICY, type StoredCachePolicy } from "../../../domain/cache/policy.ts";
import { cachePolicyChanged } from "../../../domain/errors.ts";
import { atMostEntries } from "../../../lib/lru-options.ts";
import type { CachePolicyStore } from "../../../ports/cache/policy-store.ts";
import type { IdempotentRequest } from "../../../ports/idempotency.ts";
import { decodeRecord, encodeRecord } from "../database/checksums.ts";
import type { Database } from "../database/database.ts";
import type { IdempotencyRecords } from "../namespaces/idempotency.ts";
import type { NamespaceIds } from "../namespaces/namespace-ids.ts";

/** Namespaces whose policies are cached. */
const MAX_CACHED = 10_000;

/**
 * The cache policies in SQLite. Every lookup reads one, so they are cached in memory; only this process writes the file, and
 * each change clears the cache.
 */
export class EmbeddedCachePolicyStore implements CachePolicyStore {
  readonly #database: Database;
  readonly #namespaces: NamespaceIds;
  readonly #idempotencyRecords: IdempotencyRecords;
  /** By tenant and name, of which neither contains a line end. */
  readonly #cached = new LRUCache<string, StoredCachePolicy>(atMostEntries(MAX_CACHED));

  constructor(database: Database, namespaces: NamespaceIds, idempotencyRecords: IdempotencyRecords) {
    this.#database = database;
    this.#namespaces = namespaces;
    this.#idempotencyRecords = idempotencyRecords;
  }

  /** As `get`, at once. */
  read(namespaceKey: NamespaceKey): StoredCachePolicy {
    const name = `${namespaceKey.tenant}\n${namespaceKey.namespace}`;
    let policy = this.#cached.get(name);
    if (policy === undefined) {
      const namespaceId = this.#namespaces.find(namespaceKey);
      policy = namespaceId === undefined ? NO_CACHE_POLICY : this.#stored(namespaceId);
      this.#cached.set(name, policy);
    }
    return policy;
  }

  async get(namespaceKey: NamespaceKey): Promise<StoredCachePolicy> {
    return this.read(namespaceKey);
  }

  replace(
    namespaceKey: NamespaceKey,
    expectedEtag: string,
    policy: StoredCachePolicy,
    { now, request }: { readonly now: number; readonly request?: IdempotentRequest },
  ): Promise<StoredCachePolicy> {
    return this.#database.write(() => {
      const namespaceId = this.#namespaces.findOrCreate(namespaceKey);
      const current = this.#stored(namespaceId);
      if (this.#idempotencyRecords.replay(namespaceId, request, now) !== undefined)
        return { result: current };
      const etag = cachePolicyEtag(current);
      if (etag !== expectedEtag) throw cachePolicyChanged(etag);
      this.#database.run(
        `INSERT INTO cache_policy (namespace_id, record) VALUES (?, ?)
         ON CONFLICT (namespace_id) DO UPDATE SET record = excluded.record`,
        namespaceId,
        encodeRecord(policy),
      );
      this.#idempotencyRecords.record(namespaceId, request, {}, now);
      return { result: policy, afterCommit: () => this.clearCache() };
    });
  }

  /** Called when a namespace was deleted. */
  clearCache(): void {
    this.#cached.clear();
  }

  #stored(namespaceId: number): StoredCachePolicy {
    const row = this.#database.first("SELECT record FROM cache_policy WHERE namespace_id = ?", namespaceId);
    return row === undefined
      ? NO_CACHE_POLICY
      : decodeRecord<StoredCachePolicy>(row["record"], "a cache policy");
  }
}
