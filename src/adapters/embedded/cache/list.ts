import type { NamespaceKey } from "../../../domain/access/tenancy.ts";
import type { InvalidationFilter } from "../../../domain/cache/invalidation.ts";
import { withinBytes } from "../../../domain/page-token.ts";
import type { CacheListQuery } from "../../../ports/cache/cache-store.ts";
import type { CacheInvalidations } from "../database/cache-invalidations.ts";
import type { Database } from "../database/database.ts";
import type { NamespaceIds } from "../namespaces/namespace-ids.ts";

/** Finds the rows of entries by their model and tags. */
export class CacheList {
  readonly #database: Database;
  readonly #namespaces: NamespaceIds;
  readonly #invalidations: CacheInvalidations;

  constructor(database: Database, namespaces: NamespaceIds, invalidations: CacheInvalidations) {
    this.#database = database;
    this.#namespaces = namespaces;
    this.#invalidations = invalidations;
  }

  /** The rows of a page, newest first. */
  page(scope: NamespaceKey, query: CacheListQuery): { readonly rows: number[]; readonly more: boolean } {
    const namespaceId = this.#namespaces.find(scope);
    if (namespaceId === undefined) return { rows: [], more: false };
    const { model, tagsAny, after, limit, maxBytes, now } = query;
    // Reads keys and sizes first, so that large answers beyond the page are not read.
    const rows = this.#database.all(
      // INDEXED BY, because the planner would otherwise sort the whole namespace rather than skip a few expired rows.
      `SELECT e.row, e.bytes FROM cache_entry e INDEXED BY cache_entry_by_time
       WHERE e.namespace_id = ? AND e.expire_time > ?
       ${model === undefined ? "" : "AND e.model = ?"}
       ${tagsAny === undefined ? "" : `AND EXISTS (${tagIn(tagsAny)})`}
       ${after === undefined ? "" : "AND (e.create_time, e.id) < (?, ?)"}
       ${this.#invalidations.andValid(namespaceId)}
       ORDER BY e.create_time DESC, e.id DESC LIMIT ?`,
      namespaceId,
      now,
      ...(model === undefined ? [] : [model]),
      ...(tagsAny ?? []),
      ...(after === undefined ? [] : [after.createTime, after.id]),
      limit + 1,
    );
    const page = withinBytes(rows.slice(0, limit), (row) => Number(row["bytes"]), maxBytes);
    return { rows: page.map((row) => Number(row["row"])), more: rows.length > page.length };
  }

  /** See CacheStore.countMatching. */
  count(scope: NamespaceKey, filter: InvalidationFilter, now: number): number {
    const namespaceId = this.#namespaces.find(scope);
    if (namespaceId === undefined) return 0;
    const { model, knowledge, tagsAny } = filter;
    const counted = this.#database.first(
      `SELECT count(*) AS n FROM cache_entry_stamp s JOIN cache_entry e ON e.row = s.row
       WHERE s.namespace_id = ? AND e.expire_time > ?
       ${model === undefined ? "" : "AND s.model = ?"}
       ${knowledge === undefined ? "" : "AND (s.knowledge IS NULL OR s.knowledge = ?)"}
       ${tagsAny === undefined ? "" : `AND EXISTS (${tagIn(tagsAny)})`}
       ${this.#invalidations.andValid(namespaceId)}`,
      namespaceId,
      now,
      ...(model === undefined ? [] : [model]),
      ...(knowledge === undefined ? [] : [knowledge]),
      ...(tagsAny ?? []),
    );
    return Number(counted?.["n"] ?? 0);
  }
}

function tagIn(tags: readonly string[]): string {
  return `SELECT 1 FROM cache_entry_tag t WHERE t.row = e.row AND t.tag IN (${tags.map(() => "?").join(", ")})`;
}
