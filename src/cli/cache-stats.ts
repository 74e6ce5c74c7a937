import { toJson } from "@bufbuild/protobuf";
import { type GetCacheStatsResponse, GetCacheStatsResponseSchema } from "#gen/recollect/v1/cache_pb.js";
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
  ];
  return formatFields(rows);
}
