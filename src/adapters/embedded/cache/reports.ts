import type { NamespaceKey } from "../../../domain/access/tenancy.ts";
import { type CacheEntry, entryBytes } from "../../../domain/cache/entry.ts";
import { applyReport, type OutcomeReport } from "../../../domain/cache/feedback.ts";
import type { IdempotentRequest } from "../../../ports/idempotency.ts";
import type { CacheDetailCounters } from "../database/cache-details.ts";
import { encodeRecord } from "../database/checksums.ts";
import type { Database, Written } from "../database/database.ts";
import type { IdempotencyRecords } from "../namespaces/idempotency.ts";
import type { NamespaceIds } from "../namespaces/namespace-ids.ts";

export interface Reported {
  readonly applied: boolean;
  readonly quarantined: boolean;
}

const NOT_APPLIED: Reported = { applied: false, quarantined: false };

interface ReportParts {
  readonly database: Database;
  readonly namespaces: NamespaceIds;
  readonly idempotencyRecords: IdempotencyRecords;
  readonly details: CacheDetailCounters;
}

interface EntryAccess {
  /** The row of an entry that can be served. */
  readonly row: (namespaceId: number, id: string, now: number) => number | undefined;
  readonly entryAt: (row: number) => CacheEntry | undefined;
  /** Called when the quarantine of an entry is on disk. */
  readonly onQuarantined: (namespaceId: number, row: number, entry: CacheEntry) => void;
}

/** Reports about served answers. */
export class CacheReports {
  readonly #parts: ReportParts;
  readonly #entries: EntryAccess;

  constructor(parts: ReportParts, entries: EntryAccess) {
    this.#parts = parts;
    this.#entries = entries;
  }

  /** See CacheStore.report. */
  report(
    scope: NamespaceKey,
    report: OutcomeReport,
    { now, request }: { readonly now: number; readonly request?: IdempotentRequest },
  ): Promise<Reported> {
    const { database, details, namespaces, idempotencyRecords } = this.#parts;
    return database.write((): Written<Reported> => {
      const namespaceId = namespaces.find(scope);
      if (namespaceId === undefined) return { result: NOT_APPLIED };
      const recorded = idempotencyRecords.replay(namespaceId, request, now);
      if (recorded !== undefined) return { result: { applied: recorded === true, quarantined: false } };
      const row = this.#entries.row(namespaceId, report.entryId, now);
      const entry = row === undefined ? undefined : this.#entries.entryAt(row);
      const isStored = row !== undefined && entry?.createTime === report.createTime;
      idempotencyRecords.record(namespaceId, request, isStored, now);
      details.add(namespaceId, `reports:${report.outcome}`, 1);
      return isStored ? this.#apply({ namespaceId, row, entry }, report, now) : { result: NOT_APPLIED };
    });
  }

  #apply(
    {
      namespaceId,
      row,
      entry,
    }: { readonly namespaceId: number; readonly row: number; readonly entry: CacheEntry },
    report: OutcomeReport,
    now: number,
  ): Written<Reported> {
    const { database, details } = this.#parts;
    const changed = applyReport(entry, report, now);
    if (changed === entry) return { result: { applied: true, quarantined: false } };
    database.run(
      "UPDATE cache_entry SET record = ?, expire_time = ? WHERE row = ?",
      encodeRecord(changed),
      changed.expireTime,
      row,
    );
    const isQuarantined = (one: CacheEntry): boolean => one.feedback?.quarantined === true;
    const quarantined = isQuarantined(changed) && !isQuarantined(entry);
    if (!quarantined) return { result: { applied: true, quarantined } };
    details.add(namespaceId, "removed:quarantined", 1);
    // Without its vector: it must not take the place of others among the nearest.
    database.run(
      "UPDATE cache_entry SET vector = NULL, bytes = ? WHERE row = ?",
      entryBytes(changed, 0),
      row,
    );
    return {
      result: { applied: true, quarantined },
      afterCommit: () => this.#entries.onQuarantined(namespaceId, row, changed),
    };
  }
}
