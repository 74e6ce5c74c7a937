import type { JsonObject } from "../../domain/json.ts";
import type { Scope } from "../../domain/tenancy.ts";
import type { IdempotentRequest } from "../../ports/idempotency.ts";
import type { NamespaceCounts, NamespaceStore } from "../../ports/namespace-store.ts";
import type { Database } from "./database.ts";
import type { KeywordIndex } from "./keyword-index.ts";
import type { Namespaces } from "./namespaces.ts";
import type { Requests } from "./requests.ts";

/** Everything that hangs on a namespace; rows below these go by foreign key. */
const TABLES = ["memory", "session", "request", "cache_entry"] as const;

/** The namespaces of each tenant, in SQLite. */
export class EmbeddedNamespaceStore implements NamespaceStore {
  readonly #database: Database;
  readonly #namespaces: Namespaces;
  readonly #requests: Requests;
  readonly #keywords: KeywordIndex;
  readonly #onDeleted: (namespaceId: number) => void;

  constructor(
    database: Database,
    namespaces: Namespaces,
    requests: Requests,
    options: { readonly keywords: KeywordIndex; readonly onDeleted: (namespaceId: number) => void },
  ) {
    this.#database = database;
    this.#namespaces = namespaces;
    this.#requests = requests;
    this.#keywords = options.keywords;
    this.#onDeleted = options.onDeleted;
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

  async counts(scope: Scope): Promise<NamespaceCounts> {
    return this.#counts(this.#namespaces.find(scope));
  }

  delete(
    scope: Scope,
    options: { readonly now: number; readonly request?: IdempotentRequest },
  ): Promise<NamespaceCounts> {
    const { now, request } = options;
    return this.#database.write(() => {
      const namespaceId = this.#namespaces.find(scope);
      const records = request === undefined ? undefined : this.#namespaces.recordsOf(scope.tenant);
      const recorded = records === undefined ? undefined : this.#requests.recall(records, request, now);
      if (recorded !== undefined) return { result: countsOf(recorded as JsonObject) };
      const counts = this.#counts(namespaceId);
      if (records !== undefined) this.#requests.record(records, request, { ...counts }, now);
      if (namespaceId === undefined) return { result: counts };
      this.#keywords.removeNamespace(namespaceId);
      for (const table of TABLES)
        this.#database.run(`DELETE FROM ${table} WHERE namespace_id = ?`, namespaceId);
      this.#database.run("DELETE FROM namespace WHERE namespace_id = ?", namespaceId);
      return { result: counts, afterCommit: () => this.#onDeleted(namespaceId) };
    });
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
