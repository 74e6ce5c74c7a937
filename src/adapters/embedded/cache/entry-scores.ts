import {
  DEFAULT_COST,
  excessEntries,
  isAdmitted,
  keepScore,
  lostAgainst,
  rememberedIds,
  ruleOf,
  SCORE_ORDERS,
  type ScoredEntry,
  type ScoreOrder,
  type ScoreRule,
  usedAgain,
} from "../../../domain/cache/eviction.ts";
import type { EntryUses } from "../../../domain/cache/lookup-counts.ts";
import type { RemovalMetrics } from "../../../ports/metrics.ts";
import type { CacheDetailCounters } from "../database/cache-details.ts";
import type { CacheInvalidations } from "../database/cache-invalidations.ts";
import type { Database, Row } from "../database/database.ts";

/** Ids that one put forgets at most. */
const FORGET_LIMIT = 128;

/** The orders whose entries are remembered, as an SQL list. */
const REMEMBERED = `('${SCORE_ORDERS.filter((order) => ruleOf(order).worth !== "none").join("', '")}')`;

export interface CacheBounds {
  readonly maxEntries: number;
  readonly maxBytes: number | undefined;
}

/** An entry that is put: its id, and its usage with this put. */
export interface Candidate extends ScoredEntry {
  readonly id: string;
}

interface Lowest {
  readonly row: number;
  readonly score: number;
  readonly order: ScoreOrder;
  readonly entry: ScoredEntry;
}

/** The scores of cache entries, and what they evict. Only inside writes. */
export class EntryScores {
  readonly #database: Database;
  readonly #invalidations: CacheInvalidations;
  readonly #details: CacheDetailCounters;
  readonly #metrics: RemovalMetrics;

  constructor(
    database: Database,
    {
      invalidations,
      details,
      metrics,
    }: {
      readonly invalidations: CacheInvalidations;
      readonly details: CacheDetailCounters;
      readonly metrics: RemovalMetrics;
    },
  ) {
    this.#database = database;
    this.#details = details;
    this.#metrics = metrics;
    this.#invalidations = invalidations;
  }

  /**
   * The usage of an id with one use more: of the entry that it replaces, or as it is remembered (of one that has expired or
   * is invalidated: as it would be).
   */
  usage(
    namespaceId: number,
    id: string,
    { cost, isReplaced, now }: { readonly cost: number; readonly isReplaced: boolean; readonly now: number },
  ): Pick<Candidate, "uses" | "lastUseTime" | "cost"> {
    const found = this.#database.first(
      `SELECT uses, last_use_time FROM cache_entry e JOIN cache_entry_use u ON u.row = e.row
         WHERE e.namespace_id = ?1 AND e.id = ?2 AND (?3 = 1 OR u.score_order IN ${REMEMBERED})
       UNION ALL SELECT uses, 0 FROM cache_remembered WHERE namespace_id = ?1 AND id = ?2`,
      namespaceId,
      id,
      isReplaced ? 1 : 0,
    );
    const before = { uses: Number(found?.["uses"] ?? 0), lastUseTime: Number(found?.["last_use_time"] ?? 0) };
    return usedAgain({ ...before, cost }, 1, now);
  }

  /** Counts hits, by the rule of the last put. */
  countUses(namespaceId: number, uses: ReadonlyMap<string, EntryUses>): void {
    const { rule, clock } = this.#namespace(namespaceId);
    for (const [id, { count, lastUseTime }] of uses) {
      const found = this.#database.first(`${SCORED} WHERE e.namespace_id = ? AND e.id = ?`, namespaceId, id);
      if (found === undefined) continue;
      const { row, entry } = scoredEntry(found);
      this.#write(row, rule, usedAgain(entry, count, lastUseTime), clock);
    }
  }

  /** Evicts what is beyond the bounds with the candidate. Returns how many, and whether the candidate is refused. */
  makeRoom(
    namespaceId: number,
    rule: ScoreRule,
    candidate: Candidate,
    { isReplaced, ...bounds }: CacheBounds & { readonly isReplaced: boolean },
    now: number,
  ): { readonly evicted: number; readonly isRefused: boolean } {
    this.#database.run(
      `INSERT INTO cache_counter (namespace_id, score_order) VALUES (?, ?)
       ON CONFLICT (namespace_id) DO UPDATE SET score_order = excluded.score_order`,
      namespaceId,
      rule.order,
    );
    const excess = (added: 0 | 1): number => this.#excess(namespaceId, candidate, bounds, added);
    if (excess(1) > 0) this.#removeExpired(namespaceId, candidate.id, excess(1), bounds.maxBytes, now);
    if (excess(1) > 0) this.#removeInvalidated(namespaceId, candidate.id, excess(1), bounds.maxBytes);
    let evicted = this.#evict(namespaceId, rule, candidate.id, () => excess(0) > 0);
    if (!isReplaced && excess(1) > 0 && this.#isRefused(namespaceId, rule, candidate)) {
      return { evicted, isRefused: true };
    }
    evicted += this.#evict(namespaceId, rule, candidate.id, () => excess(1) > 0);
    return { evicted, isRefused: false };
  }

  /** Scores a written entry, and forgets what was remembered of it. */
  write(namespaceId: number, row: number, rule: ScoreRule, entry: Candidate): void {
    this.#forget(namespaceId, entry.id);
    this.#write(row, rule, entry, this.#namespace(namespaceId).clock);
  }

  /** Remembers the uses of a refused candidate, and deletes its expired entry. */
  refuse(namespaceId: number, { id, uses }: Candidate): void {
    this.#forget(namespaceId, id);
    this.#database.run("DELETE FROM cache_entry WHERE namespace_id = ? AND id = ?", namespaceId, id);
    this.#database.run(
      "INSERT INTO cache_remembered (namespace_id, id, uses) VALUES (?, ?, ?)",
      namespaceId,
      id,
      uses,
    );
  }

  /** Keeps the latest ids that a namespace remembers. */
  forgetOthers(namespaceId: number, maxEntries: number): void {
    const kept = rememberedIds(maxEntries);
    const excess = Math.min(FORGET_LIMIT, this.#namespace(namespaceId).remembered - kept);
    if (excess <= 0) return;
    this.#database.run(
      `DELETE FROM cache_remembered WHERE row IN
         (SELECT row FROM cache_remembered WHERE namespace_id = ? ORDER BY row LIMIT ?)`,
      namespaceId,
      excess,
    );
  }

  /**
   * Deletes entries, counts them by the reason, and remembers their uses where their rule does. `rows`: a query of their row
   * numbers.
   */
  deleteRemembering(
    reason: "expired" | "invalidated" | "evicted",
    rows: string,
    ...parameters: (string | number)[]
  ): void {
    // Evictions are counted by the put.
    if (reason !== "evicted" && this.#countRemoved(reason, rows, parameters) === 0) return;
    this.#database.run(
      `INSERT INTO cache_remembered (namespace_id, id, uses)
         SELECT e.namespace_id, e.id, u.uses FROM cache_entry e JOIN cache_entry_use u ON u.row = e.row
         WHERE e.row IN (${rows}) AND u.score_order IN ${REMEMBERED}`,
      ...parameters,
    );
    this.#database.run(`DELETE FROM cache_entry WHERE row IN (${rows})`, ...parameters);
  }

  /** Counts the entry of an id that is replaced after it has expired or was invalidated. */
  countDead(namespaceId: number, id: string, now: number): void {
    const query = "SELECT row FROM cache_entry WHERE namespace_id = ? AND id = ? AND expire_time";
    this.#countRemoved("expired", `${query} <= ?`, [namespaceId, id, now]);
    this.#countRemoved("invalidated", `${query} > ?`, [namespaceId, id, now]);
  }

  /** Counts entries, which may be of several namespaces, by the reason; returns how many they are. */
  #countRemoved(
    reason: "expired" | "invalidated",
    rows: string,
    parameters: readonly (string | number)[],
  ): number {
    const counts = this.#database.all(
      `SELECT namespace_id, count(*) AS n FROM cache_entry WHERE row IN (${rows}) GROUP BY namespace_id`,
      ...parameters,
    );
    for (const { namespace_id: namespaceId, n } of counts) {
      this.#details.add(Number(namespaceId), `removed:${reason}`, Number(n));
    }
    const removed = counts.reduce((sum, { n }) => sum + Number(n), 0);
    if (removed > 0) this.#metrics.cacheRemoved(reason, removed);
    return removed;
  }

  #namespace(namespaceId: number): {
    readonly rule: ScoreRule;
    readonly clock: number;
    readonly remembered: number;
  } {
    const found = this.#database.first(
      "SELECT score_order, clock, remembered_count FROM cache_counter WHERE namespace_id = ?",
      namespaceId,
    );
    return {
      rule: ruleOf((found?.["score_order"] ?? "lru") as ScoreOrder),
      clock: Number(found?.["clock"] ?? 0),
      remembered: Number(found?.["remembered_count"] ?? 0),
    };
  }

  /** How far the other entries and `added` of the candidate are beyond the bounds; entries, or 1 for bytes. */
  #excess(
    namespaceId: number,
    { id, bytes }: Candidate,
    { maxEntries, maxBytes }: CacheBounds,
    added: 0 | 1,
  ): number {
    const found = this.#database.first(
      `SELECT entry_count, byte_count, (SELECT bytes FROM cache_entry WHERE namespace_id = ?1 AND id = ?2) AS own
       FROM cache_counter WHERE namespace_id = ?1`,
      namespaceId,
      id,
    );
    const own = found?.["own"] ?? undefined;
    const others = Number(found?.["entry_count"] ?? 0) - (own === undefined ? 0 : 1);
    const otherBytes = Number(found?.["byte_count"] ?? 0) - Number(own ?? 0);
    const isHeavy = maxBytes !== undefined && otherBytes + added * bytes > maxBytes;
    return Math.max(excessEntries(others + added, maxEntries), isHeavy ? 1 : 0);
  }

  #removeExpired(
    namespaceId: number,
    id: string,
    count: number,
    maxBytes: number | undefined,
    now: number,
  ): void {
    this.deleteRemembering(
      "expired",
      "SELECT row FROM cache_entry WHERE namespace_id = ? AND expire_time <= ? AND id <> ? LIMIT ?",
      namespaceId,
      now,
      id,
      // How many free enough bytes is unknown.
      maxBytes === undefined ? count : -1,
    );
  }

  #removeInvalidated(namespaceId: number, id: string, count: number, maxBytes: number | undefined): void {
    const limit = maxBytes === undefined ? count : -1;
    for (const row of this.#invalidations.rows(namespaceId, id, limit)) {
      this.deleteRemembering("invalidated", "SELECT ?", row);
    }
  }

  #evict(namespaceId: number, rule: ScoreRule, id: string, isOver: () => boolean): number {
    let evicted = 0;
    while (isOver()) {
      const lowest = this.#lowest(namespaceId, rule, id);
      if (lowest === undefined) break;
      this.deleteRemembering("evicted", "SELECT ?", lowest.row);
      if (lowest.order === rule.order) this.#advance(namespaceId, rule, lowest.score);
      evicted += 1;
    }
    return evicted;
  }

  #isRefused(namespaceId: number, rule: ScoreRule, candidate: Candidate): boolean {
    const lowest = rule.worth === "none" ? undefined : this.#lowest(namespaceId, rule, candidate.id);
    if (lowest === undefined || lowest.order !== rule.order || isAdmitted(rule, candidate, lowest.entry)) {
      return false;
    }
    this.#advance(namespaceId, rule, lowest.score);
    this.#write(lowest.row, rule, lostAgainst(lowest.entry), this.#namespace(namespaceId).clock);
    return true;
  }

  /** The entry that goes first, other than the candidate: those of other rules, then that with the lowest score. */
  #lowest(namespaceId: number, rule: ScoreRule, id: string): Lowest | undefined {
    for (const order of [...SCORE_ORDERS.filter((one) => one !== rule.order), rule.order]) {
      const found = this.#database.first(
        `${SCORED} WHERE u.namespace_id = ? AND u.score_order = ? AND e.id <> ?
         ORDER BY u.keep_score, u.last_use_time, u.row LIMIT 1`,
        namespaceId,
        order,
        id,
      );
      if (found !== undefined) return { ...scoredEntry(found), score: Number(found["keep_score"]), order };
    }
    return undefined;
  }

  #advance(namespaceId: number, rule: ScoreRule, score: number): void {
    if (rule.worth === "none") return;
    this.#database.run(
      "UPDATE cache_counter SET clock = max(clock, ?) WHERE namespace_id = ?",
      score,
      namespaceId,
    );
  }

  #write(row: number, rule: ScoreRule, entry: ScoredEntry, clock: number): void {
    this.#database.run(
      `UPDATE cache_entry_use SET score_order = ?, keep_score = ?, uses = ?, last_use_time = ?, cost = ?
       WHERE row = ?`,
      rule.order,
      keepScore(rule, entry, clock),
      entry.uses,
      entry.lastUseTime,
      entry.cost,
      row,
    );
  }

  #forget(namespaceId: number, id: string): void {
    this.#database.run("DELETE FROM cache_remembered WHERE namespace_id = ? AND id = ?", namespaceId, id);
  }
}

const SCORED = `SELECT u.row, u.keep_score, u.uses, u.last_use_time, u.cost, e.create_time, e.expire_time, e.bytes
  FROM cache_entry_use u JOIN cache_entry e ON e.row = u.row`;

function scoredEntry(row: Row): { readonly row: number; readonly entry: ScoredEntry } {
  return {
    row: Number(row["row"]),
    entry: {
      uses: Number(row["uses"]),
      lastUseTime: Number(row["last_use_time"]),
      cost: Number(row["cost"] ?? DEFAULT_COST),
      createTime: Number(row["create_time"]),
      expireTime: Number(row["expire_time"]),
      bytes: Number(row["bytes"]),
    },
  };
}
