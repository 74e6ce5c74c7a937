import type { NamespaceKey } from "../../../domain/access/tenancy.ts";
import { type CacheEntry, entryBytes } from "../../../domain/cache/entry.ts";
import { applyReport, type OutcomeReport } from "../../../domain/cache/feedback.ts";
import type { IdempotentRequest } from "../../../ports/idempotency.ts";
import { unavailable } from "../connection/errors.ts";
import { bytesOf, isText, listOf, textOf } from "../connection/replies.ts";
import { IDEMPOTENCY, replayedOutcome, requestInput } from "../namespaces/idempotency.ts";
import type { Namespaces } from "../namespaces/namespace-ids.ts";
import { defineNamespaceScript } from "../namespaces/namespace-script.ts";
import { type PackRecord, unpackRecord } from "../namespaces/records.ts";
import { CACHE, cacheInput, INVALIDATION } from "./script.ts";

const REPORT = defineNamespaceScript({
  file: new URL("./report-cache-outcome.lua", import.meta.url),
  libraries: [IDEMPOTENCY, INVALIDATION, CACHE],
  effect: "writes",
  keys: ["meta", "entry"],
  arguments: [
    ...(["id", "outcome", "expectedVersion", "newVersion", "etag", "rec", "expireTime"] as const),
    ...(["quarantined", "plainBytes"] as const),
  ],
  reply: (reply): "changed" | { readonly applied: boolean; readonly isReplay: boolean } => {
    const replayed = replayedOutcome(reply);
    if (replayed !== undefined) return { applied: replayed === "1", isReplay: true };
    const [word, applied] = listOf(reply);
    return isText(word, "CHANGED") ? "changed" : { applied: isText(applied, "1"), isReplay: false };
  },
});

/** How often an entry is read again that is written meanwhile. */
const MAX_TRIES = 20;

export interface Reported {
  readonly applied: boolean;
  readonly quarantined: boolean;
}

interface Found {
  readonly version: string;
  readonly entry: CacheEntry;
}

/** Reports about served answers: reads the entry, applies the report, and writes it if it is still the same. */
export class CacheReports {
  readonly #namespaces: Namespaces;
  readonly #pack: PackRecord;
  readonly #newVersion: () => string;

  constructor(namespaces: Namespaces, pack: PackRecord, newVersion: () => string) {
    this.#namespaces = namespaces;
    this.#pack = pack;
    this.#newVersion = newVersion;
  }

  /** See CacheStore.report. */
  async report(
    scope: NamespaceKey,
    report: OutcomeReport,
    options: { readonly now: number; readonly request?: IdempotentRequest },
  ): Promise<Reported> {
    for (let tries = 0; tries < MAX_TRIES; tries += 1) {
      const found = await this.#read(scope, report);
      const reply = await this.#write(scope, report, found, options);
      if (reply !== "changed") return reply;
    }
    throw unavailable("the cache entry is being written again and again");
  }

  /** The answer that the report is about, live or not; undefined: it is not stored. */
  async #read(scope: NamespaceKey, { entryId, createTime }: OutcomeReport): Promise<Found | undefined> {
    const replies = await this.#namespaces.pipeline(scope, (namespace) => [
      ["HMGET", namespace.cacheEntry(entryId), "version", "rec"],
    ]);
    const [version, record] = listOf(replies?.[0] ?? []);
    const bytes = bytesOf(record);
    if (bytes === undefined) return undefined;
    const entry = unpackRecord<CacheEntry>(bytes, `cache entry ${entryId}`);
    return entry.createTime === createTime ? { version: textOf(version) ?? "", entry } : undefined;
  }

  async #write(
    scope: NamespaceKey,
    report: OutcomeReport,
    found: Found | undefined,
    { now, request }: { readonly now: number; readonly request?: IdempotentRequest },
  ): Promise<Reported | "changed"> {
    const entry = found === undefined ? undefined : applyReport(found.entry, report, now);
    const changes = entry !== undefined && entry !== found?.entry;
    const quarantined = entry?.feedback?.quarantined === true && found?.entry.feedback?.quarantined !== true;
    const reply = await this.#namespaces.run(scope, {
      script: REPORT,
      mayRetry: request !== undefined,
      input: (namespace) => ({
        ...cacheInput(namespace, now),
        ...requestInput(request),
        request: namespace.request(request?.key ?? ""),
        meta: namespace.partition.meta,
        entry: namespace.cacheEntry(report.entryId),
        id: report.entryId,
        outcome: report.outcome,
        expectedVersion: found?.version ?? "",
        newVersion: changes ? this.#newVersion() : "",
        etag: entry?.etag ?? "",
        rec: changes ? this.#pack(entry) : "",
        expireTime: entry?.expireTime ?? "",
        quarantined: quarantined ? 1 : 0,
        plainBytes: quarantined && entry !== undefined ? entryBytes(entry, 0) : "",
      }),
    });
    if (reply === "changed") return reply;
    const applied = reply?.applied ?? false;
    return { applied, quarantined: quarantined && applied && reply?.isReplay === false };
  }
}
