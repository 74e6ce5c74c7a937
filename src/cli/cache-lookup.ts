import { toJson } from "@bufbuild/protobuf";
import { durationFromMs } from "@bufbuild/protobuf/wkt";
import { CacheStrategy, LookupCacheResponseSchema } from "#gen/recollect/v1/cache_pb.js";
import type { GuardStrictness } from "../domain/cache/guard-strictness.ts";
import { connect } from "./client.ts";
import { EXIT_CODE, type ExitCode } from "./exit-code.ts";
import { formatHit, formatMiss } from "./format-outcome.ts";
import type { GlobalOptions } from "./global-options.ts";
import { toGuard } from "./guard-names.ts";
import { print, printError } from "./output.ts";

export interface CacheLookupOptions extends GlobalOptions {
  readonly model: string;
  readonly system?: string;
  readonly threshold?: number;
  readonly strategy?: "hybrid" | "exact" | "semantic";
  /** Milliseconds. */
  readonly maxAge?: number;
  readonly guard?: GuardStrictness;
}

const STRATEGIES = {
  hybrid: CacheStrategy.HYBRID,
  exact: CacheStrategy.EXACT,
  semantic: CacheStrategy.SEMANTIC,
} as const;

/**
 * Looks up a cached response. Only the response is written to standard output, for scripts; the decision is written to
 * standard error. Exits with 1 on a miss.
 */
export async function cacheLookup(words: readonly string[], options: CacheLookupOptions): Promise<ExitCode> {
  const clients = connect(options);
  const response = await clients.cache.lookupCache({
    namespace: options.namespace,
    prompt: { prompt: { case: "text", value: words.join(" ") } },
    scope: { model: options.model, systemPrompt: options.system ?? "" },
    options: {
      ...(options.threshold === undefined ? {} : { threshold: options.threshold }),
      ...(options.strategy === undefined ? {} : { strategy: STRATEGIES[options.strategy] }),
      ...(options.guard === undefined ? {} : { guard: toGuard(options.guard) }),
      ...(options.maxAge === undefined ? {} : { maxAge: durationFromMs(options.maxAge) }),
    },
  });
  const { outcome, decisionId } = response;
  if (options.json) print(JSON.stringify(toJson(LookupCacheResponseSchema, response)));
  if (outcome.case === "hit") {
    if (!options.json) {
      printError(formatHit(outcome.value));
      print(outcome.value.entry?.response ?? "");
    }
    return EXIT_CODE.ok;
  }
  if (!options.json) {
    if (outcome.case === "miss") printError(formatMiss(outcome.value));
    printError(`decision_id: ${decisionId}`);
  }
  return EXIT_CODE.no;
}
