import { type Counter, type Meter, ValueType } from "@opentelemetry/api";
import type { FeedbackMetrics, Metrics } from "../ports/metrics.ts";

/** Instruments of what the cache saves, refuses and hears about its answers. Counters appear with their first value. */
export function createCacheInstruments(
  meter: Meter,
  evictions: Counter,
): FeedbackMetrics & Pick<Metrics, "cacheGuardRefused" | "cacheSaved"> {
  const refusals = meter.createCounter("recollect_cache_guard_refusals", {
    description:
      "Reasons for which the guard refused the nearest entry of a lookup; a lookup may have several.",
    valueType: ValueType.INT,
  });
  const tokens = meter.createCounter("recollect_cache_saved_tokens", {
    description: "Tokens that served answers took to generate, by kind (prompt, completion).",
    valueType: ValueType.INT,
  });
  tokens.add(0, { kind: "prompt" });
  tokens.add(0, { kind: "completion" });
  const cost = meter.createCounter("recollect_cache_saved_cost_usd", {
    description: "US dollars that served answers cost to generate.",
  });
  cost.add(0);
  const time = meter.createCounter("recollect_cache_saved_seconds", {
    description: "Time that served answers took to generate.",
    unit: "s",
  });
  time.add(0);
  const reports = meter.createCounter("recollect_cache_reports", {
    description: "Reports about served answers, by outcome.",
    valueType: ValueType.INT,
  });
  const quarantined = meter.createCounter("recollect_cache_quarantined", {
    description: "Entries that were quarantined, because they were reported to be wrong more than once.",
    valueType: ValueType.INT,
  });
  quarantined.add(0);
  return {
    cacheGuardRefused: (reason) => refusals.add(1, { reason }),
    cacheSaved: ({ promptTokens, completionTokens, generationMs, costUsd }) => {
      tokens.add(promptTokens, { kind: "prompt" });
      tokens.add(completionTokens, { kind: "completion" });
      cost.add(costUsd);
      time.add(generationMs / 1000);
    },
    cacheReported: (outcome) => reports.add(1, { outcome }),
    cacheQuarantined: () => {
      quarantined.add(1);
      evictions.add(1, { reason: "quarantined" });
    },
  };
}
