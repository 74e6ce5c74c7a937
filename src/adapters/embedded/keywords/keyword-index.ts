import { LRUCache } from "lru-cache";
import type { CorpusStatistics } from "../../../domain/memory/bm25.ts";
import type { CandidateQuery } from "../../../ports/memory/search.ts";
import type { Database, Row } from "../database/database.ts";
import { isDefaultFilter, memoryCondition } from "./row-filter.ts";
import { KEYWORDS, matchAny, spell, spellTerms } from "./terms.ts";

/** Some megabytes. */
const MAX_FREQUENCIES = 50_000;

/** The ranking fields of a candidate, as columns. */
const RANKING_COLUMNS = "m.id, m.importance, coalesce(m.event_time, m.create_time) AS time";

/** CROSS JOIN fixes the order: left to itself the planner walks all memories of the namespace, at three times the cost. */
const BEST_FIRST =
  "best CROSS JOIN memory m ON m.row = best.row CROSS JOIN memory_terms t ON t.rowid = best.row";

/**
 * The keyword index in FTS5. It supplies candidates, best first by FTS5's bm25, which counts the documents of all
 * tenants: good enough to choose candidates, not to score them.
 */
export class KeywordIndex {
  readonly #database: Database;
  /** The tables that get writes: the one that is searched, and its replacement during a rebuild. */
  #written: readonly string[] = [KEYWORDS];
  /** Cached document frequencies, by spelled term. Counting those of a query takes 0.1 ms of 10,000 memories. */
  readonly #frequencies = new LRUCache<string, number>({ max: MAX_FREQUENCIES });

  constructor(database: Database) {
    this.#database = database;
  }

  /** Only inside a write. */
  add(namespaceId: number, row: number, terms: readonly string[]): void {
    const spelled = spellTerms(namespaceId, terms);
    for (const term of terms) this.#frequencies.delete(spell(namespaceId, term));
    for (const table of this.#written) {
      this.#database.run(`INSERT INTO ${table} (rowid, terms) VALUES (?, ?)`, row, spelled);
    }
  }

  /** Only inside a write. */
  remove(row: number): void {
    this.#frequencies.clear();
    for (const table of this.#written) this.#database.run(`DELETE FROM ${table} WHERE rowid = ?`, row);
  }

  /** Removes the terms of a namespace, before its memories are deleted. Only inside a write. */
  removeNamespace(namespaceId: number): void {
    this.#frequencies.clear();
    for (const table of this.#written) {
      this.#database.run(
        `DELETE FROM ${table} WHERE rowid IN (SELECT row FROM memory WHERE namespace_id = ?)`,
        namespaceId,
      );
    }
  }

  /** Sets a second table that gets every write from now on; undefined: none. */
  alsoWriteTo(table: string | undefined): void {
    // A rebuilt table may hold terms that the damaged one had lost.
    this.#frequencies.clear();
    this.#written = table === undefined ? [KEYWORDS] : [KEYWORDS, table];
  }

  /** Drops the cached document frequencies: the index was repaired. */
  clearCache(): void {
    this.#frequencies.clear();
  }

  /** The BM25 statistics of a namespace. */
  corpus(namespaceId: number, terms: readonly string[]): CorpusStatistics {
    const counts = this.#database.first(
      "SELECT memory_count, term_count FROM namespace WHERE namespace_id = ?",
      namespaceId,
    );
    const documentCount = Number(counts?.["memory_count"] ?? 0);
    const documentFrequencies = new Map(
      terms.map((term) => [term, this.#frequency(namespaceId, term)] as const),
    );
    return {
      documentCount,
      meanLength: documentCount === 0 ? 0 : Number(counts?.["term_count"] ?? 0) / documentCount,
      documentFrequencies,
    };
  }

  #frequency(namespaceId: number, term: string): number {
    const name = spell(namespaceId, term);
    let frequency = this.#frequencies.get(name);
    if (frequency === undefined) {
      const row = this.#database.first(
        "SELECT count(*) AS n FROM memory_terms WHERE memory_terms MATCH ?",
        matchAny(namespaceId, [term]),
      );
      frequency = Number(row?.["n"] ?? 0);
      this.#frequencies.set(name, frequency);
    }
    return frequency;
  }

  /**
   * Rows that hold any of the terms and pass the filter. Nearly all rows pass the default filter, so it is tested on the
   * best matches only; any other filter is tested on every match, and so is the default one when too few pass.
   */
  candidates(
    namespaceId: number,
    terms: readonly string[],
    corpus: CorpusStatistics,
    query: Pick<CandidateQuery, "filter" | "limit">,
    now: number,
  ): Row[] {
    const { filter, limit } = query;
    const match = matchAny(namespaceId, terms);
    const condition = memoryCondition(namespaceId, filter, now);
    if (isDefaultFilter(filter)) {
      const best = 2 * limit;
      const rows = this.#database.all(
        `WITH best AS MATERIALIZED (
           SELECT rowid AS row, rank FROM memory_terms WHERE memory_terms MATCH ? ORDER BY rank LIMIT ?)
         SELECT ${RANKING_COLUMNS}, t.terms FROM ${BEST_FIRST}
         WHERE ${condition.sql} ORDER BY best.rank, m.row LIMIT ?`,
        match,
        best,
        ...condition.values,
        limit,
      );
      if (rows.length === limit || matchesAtMost(terms, corpus) <= best) return rows;
    }
    return this.#database.all(
      `WITH best AS MATERIALIZED (
         SELECT f.rowid AS row, f.rank FROM memory_terms f CROSS JOIN memory m ON m.row = f.rowid
         WHERE f.memory_terms MATCH ? AND ${condition.sql} ORDER BY f.rank, m.row LIMIT ?)
       SELECT ${RANKING_COLUMNS}, t.terms FROM ${BEST_FIRST}
       ORDER BY best.rank, m.row`,
      match,
      ...condition.values,
      limit,
    );
  }
}

/** An upper bound on the number of documents that hold any of the terms. */
function matchesAtMost(terms: readonly string[], corpus: CorpusStatistics): number {
  return terms.reduce((sum, term) => sum + (corpus.documentFrequencies.get(term) ?? 0), 0);
}
