import { type Attributes, type Meter, metrics, ValueType } from "@opentelemetry/api";
import type {
  AuthenticationMetrics,
  CompactionMetrics,
  EmbeddingMetrics,
  EvictionMetrics,
  FeedbackMetrics,
  GuardMetrics,
  LoadMetrics,
  Metrics,
  PendingMemoryMetrics,
  RedisMetrics,
  StoreMetrics,
  TlsMetrics,
  WriteGuardMetrics,
} from "../ports/metrics.ts";
import { createAuthenticationInstruments } from "./authentication-instruments.ts";
import { createCacheInstruments } from "./cache-instruments.ts";
import { type CallDurations, DURATION_BUCKETS } from "./call-durations.ts";
import { createCompactionInstruments } from "./compaction-instruments.ts";
import { createEmbeddingInstruments } from "./embedding-instruments.ts";
import { createGuardInstruments } from "./guard-instruments.ts";
import { createLoadInstruments } from "./load-instruments.ts";
import { SlidingQuantiles } from "./sliding-quantiles.ts";
import { createStoreInstruments } from "./store-instruments.ts";
import { createWriteGuardInstruments } from "./write-guard-instruments.ts";

/** Calls of the API, for the telemetry middleware. */
export interface RpcInstruments {
  callEnded(method: string, code: string, transport: string, durationMs: number): void;
  /** Counts a call that ended with an error of this reason. */
  callFailed(reason: string, transport: string): void;
  /** Calls have started (a positive number) or ended. */
  callsInFlight(change: number): void;
}

export interface Instruments
  extends RpcInstruments,
    Metrics,
    EvictionMetrics,
    FeedbackMetrics,
    GuardMetrics,
    WriteGuardMetrics,
    StoreMetrics,
    RedisMetrics,
    AuthenticationMetrics,
    TlsMetrics,
    EmbeddingMetrics,
    PendingMemoryMetrics,
    LoadMetrics,
    CompactionMetrics {}

const QUANTILES = [0.5, 0.95, 0.99] as const;

/**
 * Every metric, declared once. The three without a prefix keep the names that existing dashboards use, and are present
 * from the first scrape on; their descriptors have no unit because the exporter would append it to the name.
 */
// biome-ignore lint/complexity/noExcessiveLinesPerFunction: declares metrics
export function createInstruments(
  calls: CallDurations,
  meter: Meter = metrics.getMeter("recollect"),
): Instruments {
  const failures = meter.createCounter("recollect_call_errors", {
    description: "Calls that ended with an error, by reason and transport.",
    valueType: ValueType.INT,
  });
  // Counted here and read on collection: adding to an instrument hashes its attributes each time.
  let inFlight = 0;
  meter
    .createObservableUpDownCounter("recollect_calls_in_flight", {
      description:
        "Calls of the API that are running; beyond the limit they are refused with TOO_MANY_CALLS.",
      valueType: ValueType.INT,
    })
    .addCallback((result) => result.observe(inFlight));
  const lookups = new Map<string, { readonly attributes: Attributes; count: number }>();
  meter
    .createObservableCounter("recollect_cache_lookups", {
      description: "Cache lookups, by outcome (exact, semantic, miss) and detail (the reason of a miss).",
      valueType: ValueType.INT,
    })
    .addCallback((result) => {
      for (const { attributes, count } of lookups.values()) result.observe(count, attributes);
    });
  const evictions = meter.createCounter("recollect_cache_evictions", {
    description:
      "Cache entries removed, by reason: capacity (evicted before they expired), expired, invalidated, quarantined.",
    valueType: ValueType.INT,
  });
  // A counter appears with its first value.
  for (const reason of ["capacity", "expired", "invalidated", "quarantined"]) evictions.add(0, { reason });
  const notStored = meter.createCounter("recollect_cache_not_stored", {
    description: "Answers that StoreCacheEntry did not store, by reason.",
    valueType: ValueType.INT,
  });
  const fullNamespaces = meter.createGauge("recollect_cache_full_namespaces", {
    description:
      "Namespaces that were at CACHE_MAX_ENTRIES or CACHE_MAX_BYTES when this process last stored to them.",
    valueType: ValueType.INT,
  });
  fullNamespaces.record(0);
  const searches = meter.createHistogram("recollect_vector_search_duration_seconds", {
    description: "Duration of vector searches in the store.",
    unit: "s",
    advice: { explicitBucketBoundaries: DURATION_BUCKETS },
  });

  const embedding = createEmbeddingInstruments(meter);

  const counted = { hits: 0, total: 0 };
  meter
    .createObservableGauge("cache_hit_rate", {
      description: "Share of cache lookups since the start that were hits, 0 to 1; 0 before the first.",
    })
    .addCallback((result) => result.observe(counted.total === 0 ? 0 : counted.hits / counted.total));

  const latencies = new SlidingQuantiles();
  meter
    .createObservableGauge("vector_search_latency_ms", {
      description: "Milliseconds of the latest vector searches, by quantile; 0 before the first.",
    })
    .addCallback((result) => {
      for (const quantile of QUANTILES)
        result.observe(latencies.quantile(quantile), { quantile: String(quantile) });
    });

  return {
    ...embedding,
    ...createStoreInstruments(meter),
    ...createAuthenticationInstruments(meter),
    ...createLoadInstruments(meter),
    ...createGuardInstruments(meter),
    ...createCompactionInstruments(meter),
    ...createWriteGuardInstruments(meter),
    ...createCacheInstruments(meter, evictions),
    callEnded: (method, code, transport, durationMs) => calls.add(method, code, transport, durationMs),
    callFailed: (reason, transport) => failures.add(1, { reason, transport }),
    callsInFlight: (change) => {
      inFlight += change;
    },
    cacheLookup: (outcome, detail) => {
      counted.total += 1;
      if (outcome !== "miss") counted.hits += 1;
      const counter = lookups.get(`${outcome} ${detail}`);
      if (counter !== undefined) counter.count += 1;
      else lookups.set(`${outcome} ${detail}`, { attributes: { outcome, detail }, count: 1 });
    },
    cacheEvicted: (count) => evictions.add(count, { reason: "capacity" }),
    cacheRemoved: (reason, count) => evictions.add(count, { reason }),
    cacheEntryNotStored: (reason) => notStored.add(1, { reason }),
    cacheFullNamespaces: (count) => fullNamespaces.record(count),
    vectorSearch: (milliseconds) => {
      latencies.add(milliseconds);
      searches.record(milliseconds / 1000);
    },
  };
}
