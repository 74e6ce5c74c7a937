import type { NamespaceKey } from "../../../domain/access/tenancy.ts";
import type { JsonObject } from "../../../lib/json.ts";
import type { IdempotentRequest } from "../../../ports/idempotency.ts";
import type { Log } from "../../../ports/log.ts";
import type { NamespaceCounts, NamespaceStore } from "../../../ports/namespace-store.ts";
import type { Database, Written } from "../database/database.ts";
import { DELETE_STEP } from "../database/delete-steps.ts";
import { isFull } from "../database/errors.ts";
import type { KeywordIndex } from "../keywords/keyword-index.ts";
import { HiddenNamespaces } from "./hidden-namespaces.ts";
import type { IdempotencyRecords } from "./idempotency.ts";
import type { NamespaceIds } from "./namespace-ids.ts";

/** The tables with rows of a namespace; rows below these are deleted by foreign key. */
const TABLES = ["memory", "memory_revision", "memory_change", "session", "request", "cache_entry"] as const;

export interface EmbeddedNamespaceStoreOptions {
  readonly keywords: KeywordIndex;
  /** Called after a namespace was deleted or hidden. */
  readonly onDeleted: (namespaceId: number) => void;
  /** Resolves when the check of the file has finished; the file should not change before. */
  readonly checked: Promise<void>;
  readonly log: Log;
}

/** The namespaces of each tenant, in SQLite. */
export class EmbeddedNamespaceStore implements NamespaceStore, AsyncDisposable {
  readonly #database: Database;
  readonly #namespaces: NamespaceIds;
  readonly #idempotencyRecords: IdempotencyRecords;
  readonly #options: EmbeddedNamespaceStoreOptions;
  readonly #hidden: HiddenNamespaces;
  /** Serializes the removal of hidden namespaces; resolves when none is left, or when that failed. */
  #cleared: Promise<void>;
  #isChecked = false;
  #isClosed = false;

  constructor(
    database: Database,
    namespaces: NamespaceIds,
    idempotencyRecords: IdempotencyRecords,
    options: EmbeddedNamespaceStoreOptions,
  ) {
    this.#database = database;
    this.#namespaces = namespaces;
    this.#idempotencyRecords = idempotencyRecords;
    this.#options = options;
    this.#hidden = new HiddenNamespaces(database, options.keywords);
    this.#cleared = options.checked.then(() => {
      this.#isChecked = true;
      return this.#clear();
    });
  }

  async list(tenant: string, options: { readonly after: string; readonly limit: number }): Promise<string[]> {
    return this.#database
      .all(
        "SELECT name FROM namespace WHERE tenant = ? AND name > ? ORDER BY name LIMIT ?",
        tenant,
        options.after,
        options.limit,
      )
      .map((row) => String(row["name"]));
  }

  async counts(scope: NamespaceKey): Promise<NamespaceCounts> {
    return this.#counts(this.#namespaces.find(scope));
  }

  async delete(
    scope: NamespaceKey,
    options: { readonly now: number; readonly request?: IdempotentRequest },
  ): Promise<NamespaceCounts> {
    try {
      let isHidden = false;
      const counts = await this.#delete(scope, options, (namespaceId, { memories }) => {
        isHidden = memories > DELETE_STEP.rows;
        if (isHidden) this.#hidden.hide(namespaceId);
        else this.#remove(namespaceId);
      });
      // It is not found any more; removing its rows in one transaction would stop everything else.
      if (isHidden) await this.#clearNow();
      return counts;
    } catch (error) {
      if (!isFull(error)) throw error;
    }
    // The deletion does not fit into the reserved space of a full disk.
    const counts = await this.#delete(scope, options, (namespaceId) => this.#hidden.hide(namespaceId));
    await this.#clearNow();
    return counts;
  }

  /** Stops the removal of hidden namespaces; the next start continues it. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#isClosed = true;
    await this.#cleared;
  }

  /** Removes hidden namespaces, or leaves that to the end of the check of the file, which takes longer than callers wait. */
  async #clearNow(): Promise<void> {
    this.#cleared = this.#cleared.then(() => this.#clear());
    if (this.#isChecked) await this.#cleared;
  }

  #delete(
    scope: NamespaceKey,
    { now, request }: { readonly now: number; readonly request?: IdempotentRequest },
    remove: (namespaceId: number, counts: NamespaceCounts) => void,
  ): Promise<NamespaceCounts> {
    return this.#database.write(
      (): Written<NamespaceCounts> => {
        const namespaceId = this.#namespaces.find(scope);
        const records = request === undefined ? undefined : this.#namespaces.recordsOf(scope.tenant);
        const recorded =
          records === undefined ? undefined : this.#idempotencyRecords.replay(records, request, now);
        if (recorded !== undefined) return { result: countsOf(recorded as JsonObject) };
        const counts = this.#counts(namespaceId);
        if (records !== undefined) this.#idempotencyRecords.record(records, request, { ...counts }, now);
        if (namespaceId === undefined) return { result: counts };
        remove(namespaceId, counts);
        return { result: counts, afterCommit: () => this.#options.onDeleted(namespaceId) };
      },
      { deletes: true },
    );
  }

  #remove(namespaceId: number): void {
    this.#options.keywords.removeNamespace(namespaceId);
    for (const table of TABLES)
      this.#database.run(`DELETE FROM ${table} WHERE namespace_id = ?`, namespaceId);
    this.#database.run("DELETE FROM namespace WHERE namespace_id = ?", namespaceId);
  }

  async #clear(): Promise<void> {
    try {
      await this.#hidden.clear(() => this.#isClosed);
    } catch (error) {
      this.#options.log.warn(
        { err: error },
        "the rows of a deleted namespace could not be removed; the next start tries again",
      );
    }
  }

  #counts(namespaceId: number | undefined): NamespaceCounts {
    if (namespaceId === undefined) return { memories: 0, cacheEntries: 0 };
    const row = this.#database.first(
      `SELECT memory_count, (SELECT count(*) FROM cache_entry c WHERE c.namespace_id = n.namespace_id) AS cache_count
       FROM namespace n WHERE namespace_id = ?`,
      namespaceId,
    );
    return { memories: Number(row?.["memory_count"] ?? 0), cacheEntries: Number(row?.["cache_count"] ?? 0) };
  }
}

function countsOf(recorded: JsonObject): NamespaceCounts {
  return { memories: Number(recorded["memories"]), cacheEntries: Number(recorded["cacheEntries"]) };
}
