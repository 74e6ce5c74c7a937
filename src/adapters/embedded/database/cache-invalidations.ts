import {
  type InvalidationFilter,
  MAX_INVALIDATIONS,
  nextGeneration,
} from "../../../domain/cache/invalidation.ts";
import type { Database } from "./database.ts";

/** The last invalidation of a namespace, and the last whose entries are all deleted: generations, 0: none. */
export interface InvalidationState {
  readonly last: number;
  readonly swept: number;
}

/** SQL: whether an invalidation matches the entry whose stamp is `s`, and is later than its put. */
const IS_INVALIDATED = `EXISTS (SELECT 1 FROM cache_invalidation i
  WHERE i.namespace_id = s.namespace_id AND i.generation > s.generation AND i.model IN ('', s.model)
    AND (s.knowledge IS NULL OR i.knowledge IN ('', s.knowledge))
    AND i.tag IN (SELECT '' UNION ALL SELECT t.tag FROM cache_entry_tag t WHERE t.row = s.row))`;

/**
 * The invalidations of cache entries. An invalidation is one row for each of its tags, whatever the number of entries; their
 * rows are deleted afterwards. Separate from EmbeddedCacheStore, because the vectors of the prompts skip these rows too.
 */
export class CacheInvalidations {
  readonly #database: Database;

  constructor(database: Database) {
    this.#database = database;
  }

  state(namespaceId: number): InvalidationState {
    const row = this.#database.first(
      "SELECT last, swept FROM cache_generation WHERE namespace_id = ?",
      namespaceId,
    );
    return { last: Number(row?.["last"] ?? 0), swept: Number(row?.["swept"] ?? 0) };
  }

  /** The last generation of each namespace that has one. */
  all(): readonly {
    readonly namespaceId: number;
    readonly tenant: string;
    readonly name: string;
    readonly state: InvalidationState;
  }[] {
    const rows = this.#database.all(
      "SELECT g.namespace_id, g.last, g.swept, n.tenant, n.name FROM cache_generation g JOIN namespace n USING (namespace_id)",
    );
    return rows.map((row) => ({
      namespaceId: Number(row["namespace_id"]),
      tenant: String(row["tenant"]),
      name: String(row["name"]),
      state: { last: Number(row["last"]), swept: Number(row["swept"]) },
    }));
  }

  /** SQL that follows a condition on `e`, a row of cache_entry: it is not invalidated. Empty where none can be. */
  andValid(namespaceId: number): string {
    const { last, swept } = this.state(namespaceId);
    return last === swept
      ? ""
      : `AND NOT EXISTS (SELECT 1 FROM cache_entry_stamp s WHERE s.row = e.row AND ${IS_INVALIDATED})`;
  }

  /** Only inside a write. Invalidations before `forgetBefore` are no more compared with decisions. */
  add(
    namespaceId: number,
    { model = "", knowledge = "", tagsAny = [""] }: InvalidationFilter,
    { now, forgetBefore }: { readonly now: number; readonly forgetBefore: number },
  ): InvalidationState {
    const { last, swept } = this.state(namespaceId);
    const generation = nextGeneration(last, now);
    this.#database.run(
      "DELETE FROM cache_invalidation WHERE namespace_id = ? AND generation < ?",
      namespaceId,
      Math.min(swept, forgetBefore),
    );
    for (const tag of tagsAny) this.#put(namespaceId, { model, knowledge, tag }, generation);
    const counted = this.#database.first(
      "SELECT count(*) AS n FROM cache_invalidation WHERE namespace_id = ?",
      namespaceId,
    );
    if (Number(counted?.["n"]) > MAX_INVALIDATIONS) {
      this.#database.run("DELETE FROM cache_invalidation WHERE namespace_id = ?", namespaceId);
      this.#put(namespaceId, { model: "", knowledge: "", tag: "" }, generation);
    }
    this.#setState(namespaceId, { last: generation, swept });
    return { last: generation, swept };
  }

  /** The generation of the last invalidation that matches an entry; 0: none. */
  lastMatch(
    namespaceId: number,
    entry: { readonly model: string; readonly knowledge: string; readonly tags: readonly string[] },
  ): number {
    const tags = ["", ...new Set(entry.tags)];
    const row = this.#database.first(
      `SELECT max(generation) AS last FROM cache_invalidation WHERE namespace_id = ? AND model IN ('', ?)
       AND knowledge IN ('', ?) AND tag IN (${tags.map(() => "?").join(", ")})`,
      namespaceId,
      entry.model,
      entry.knowledge,
      ...tags,
    );
    return Number(row?.["last"] ?? 0);
  }

  /** Notes what an entry is matched by. Only inside a write. */
  stamp(
    row: number,
    namespaceId: number,
    { model, knowledge }: { readonly model: string; readonly knowledge: string },
  ): void {
    this.#database.run(
      `INSERT INTO cache_entry_stamp (row, namespace_id, generation, model, knowledge) VALUES (?, ?, ?, ?, ?)
       ON CONFLICT (row) DO UPDATE SET generation = excluded.generation, model = excluded.model,
         knowledge = excluded.knowledge`,
      row,
      namespaceId,
      this.state(namespaceId).last,
      model,
      knowledge,
    );
  }

  /** The rows of up to `limit` invalidated entries other than that with the id; -1: of all. */
  rows(namespaceId: number, exceptId: string, limit: number): number[] {
    const { last, swept } = this.state(namespaceId);
    if (last === swept) return [];
    const found = this.#database.all(
      `SELECT s.row FROM cache_entry_stamp s JOIN cache_entry e ON e.row = s.row
       WHERE s.namespace_id = ? AND e.id <> ? AND ${IS_INVALIDATED} LIMIT ?`,
      namespaceId,
      exceptId,
      limit,
    );
    return found.map(({ row }) => Number(row));
  }

  /**
   * One step of a pass over the entries that were put before generation `target`: calls `remove` with the rows of the
   * invalidated ones among the next `limit` behind row `after`. Returns the last of those rows; undefined at the end of the
   * pass, which is noted. Only inside a write.
   */
  passStep(
    namespaceId: number,
    target: number,
    {
      after,
      limit,
      remove,
    }: { readonly after: number; readonly limit: number; readonly remove: (row: number) => void },
  ): number | undefined {
    const rows = this.#database.all(
      `SELECT s.row, ${IS_INVALIDATED} AS invalidated FROM cache_entry_stamp s
       WHERE s.namespace_id = ? AND s.row > ? AND s.generation < ? ORDER BY s.row LIMIT ?`,
      namespaceId,
      after,
      target,
      limit,
    );
    for (const { row, invalidated } of rows) if (invalidated === 1) remove(Number(row));
    if (rows.length === limit) return Number(rows.at(-1)?.["row"]);
    const { last } = this.state(namespaceId);
    // Zero when the namespace was deleted meanwhile.
    if (last >= target) this.#setState(namespaceId, { last, swept: target });
    return undefined;
  }

  #put(
    namespaceId: number,
    { model, knowledge, tag }: { readonly model: string; readonly knowledge: string; readonly tag: string },
    generation: number,
  ): void {
    this.#database.run(
      `INSERT OR REPLACE INTO cache_invalidation (namespace_id, tag, model, knowledge, generation)
       VALUES (?, ?, ?, ?, ?)`,
      namespaceId,
      tag,
      model,
      knowledge,
      generation,
    );
  }

  #setState(namespaceId: number, { last, swept }: InvalidationState): void {
    this.#database.run(
      "INSERT OR REPLACE INTO cache_generation (namespace_id, last, swept) VALUES (?, ?, ?)",
      namespaceId,
      last,
      swept,
    );
  }
}
