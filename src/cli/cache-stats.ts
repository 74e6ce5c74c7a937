import { toJson } from "@bufbuild/protobuf";
import { durationMs } from "@bufbuild/protobuf/wkt";
import {
  type GetCacheStatsResponse,
  GetCacheStatsResponseSchema,
  GuardReason,
  LookupCacheResponse_Miss_Reason as MissReason,
} from "#gen/recollect/v1/cache_pb.js";
import { connect } from "./client.ts";
import { EXIT_CODE, type ExitCode } from "./exit-code.ts";
import { formatFields } from "./format-fields.ts";
import type { GlobalOptions } from "./global-options.ts";
import { print } from "./output.ts";

/** Prints entries, bytes and lookup counts of the cache of a namespace. */
export async function cacheStats(options: GlobalOptions): Promise<ExitCode> {
  const stats = await connect(options).cache.getCacheStats({ namespace: options.namespace });
  if (options.json) {
    // With zeros, which protobuf JSON omits by default.
    print(JSON.stringify(toJson(GetCacheStatsResponseSchema, stats, { alwaysEmitImplicit: true })));
  } else for (const line of formatStats(stats)) print(line);
  return EXIT_CODE.ok;
}

function formatStats(stats: GetCacheStatsResponse): string[] {
  const number = new Intl.NumberFormat("en");
  const lookups = stats.exactHits + stats.semanticHits + stats.misses;
  const rate = lookups === 0n ? 0 : Number(stats.exactHits + stats.semanticHits) / Number(lookups);
  const rows: readonly (readonly [string, string])[] = [
    ["entries", `${number.format(stats.entryCount)} of at most ${number.format(stats.maxEntries)}`],
    ["bytes", number.format(stats.byteCount)],
    ["lookups", number.format(lookups)],
    ["exact hits", number.format(stats.exactHits)],
    ["semantic hits", number.format(stats.semanticHits)],
    ["misses", number.format(stats.misses)],
    ["hit rate", `${(rate * 100).toFixed(1)} %`],
    ["stores", number.format(stats.stores)],
    ["evictions", number.format(stats.evictions)],
    ["expired", number.format(stats.expirations)],
    ["invalidated", number.format(stats.invalidations)],
    ["quarantined", number.format(stats.quarantines)],
    ...stats.missesByReason.map(
      ({ reason, count }) => [`misses ${MissReason[reason]}`, number.format(count)] as const,
    ),
    ...stats.guardRefusals.map(
      ({ reason, count }) => [`refused ${GuardReason[reason]}`, number.format(count)] as const,
    ),
    ...savedRows(stats, number),
    [
      "reports",
      `${stats.correctReports} correct, ${stats.incorrectReports} incorrect, ${stats.staleReports} stale`,
    ],
  ];
  return formatFields(rows);
}

function savedRows(
  { saved }: GetCacheStatsResponse,
  number: Intl.NumberFormat,
): (readonly [string, string])[] {
  if (saved === undefined) return [];
  const { promptTokens, completionTokens, generationTime, costUsd } = saved;
  const seconds = generationTime === undefined ? 0 : durationMs(generationTime) / 1000;
  return [
    ["saved tokens", `${number.format(promptTokens)} prompt, ${number.format(completionTokens)} completion`],
    ["saved time", `${number.format(seconds)} s`],
    ["saved cost", `${number.format(costUsd)} USD`],
  ];
}
