import { type Meter, ValueType } from "@opentelemetry/api";
import type { PendingState } from "../ports/embedding/pending-memory-queue.ts";
import type { EmbeddingMetrics, PendingMemoryMetrics } from "../ports/metrics.ts";

/** Seconds; from a local model to the maximum wait of a write. */
const DURATION_BUCKETS = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30];

const BREAKER_VALUE = { CLOSED: 0, HALF_OPEN: 1, OPEN: 2 } as const;

/** Metrics of the embedding provider and the embedding queue; counters appear with their first value. */
export function createEmbeddingInstruments(meter: Meter): EmbeddingMetrics & PendingMemoryMetrics {
  const requests = meter.createHistogram("recollect_embedding_request_duration_seconds", {
    description: "Duration of requests to the embedding provider, by outcome (ok, or the failure).",
    unit: "s",
    advice: { explicitBucketBoundaries: DURATION_BUCKETS },
  });
  const texts = meter.createCounter("recollect_embedding_texts", {
    description: "Texts in requests to the embedding provider, by outcome.",
    valueType: ValueType.INT,
  });
  const tokens = meter.createCounter("recollect_embedding_tokens", {
    description: "Tokens counted by the embedding provider.",
    valueType: ValueType.INT,
  });
  const retries = meter.createCounter("recollect_embedding_retries", {
    description: "Retries of requests to the embedding provider, by the cause of the failure.",
    valueType: ValueType.INT,
  });
  const lookups = meter.createCounter("recollect_embedding_cache_lookups", {
    description: "Lookups in the embedding cache, by where the vector was found (memory, store, miss).",
    valueType: ValueType.INT,
  });

  const counted = { hits: 0, total: 0 };
  meter
    .createObservableGauge("recollect_embedding_cache_hit_rate", {
      description: "Hit rate of the embedding cache since the start, 0 to 1; 0 before the first lookup.",
    })
    .addCallback((result) => result.observe(counted.total === 0 ? 0 : counted.hits / counted.total));

  const breakers = new Map<string, number>();
  meter
    .createObservableGauge("recollect_embedding_breaker_state", {
      description:
        "State of the circuit breaker of the embedding provider, by urgency: 0 closed, 1 half-open, 2 open.",
      valueType: ValueType.INT,
    })
    .addCallback((result) => {
      for (const [urgency, value] of breakers) result.observe(value, { urgency });
    });

  return {
    observePendingMemories: pendingMemoriesObserver(meter),
    embeddingRequest: (outcome, count, milliseconds) => {
      requests.record(milliseconds / 1000, { outcome });
      texts.add(count, { outcome });
    },
    embeddingTokens: (count) => tokens.add(count),
    embeddingRetry: (cause) => retries.add(1, { cause }),
    embeddingCache: (outcome, count) => {
      counted.total += count;
      if (outcome !== "miss") counted.hits += count;
      lookups.add(count, { outcome });
    },
    embeddingBreaker: (urgency, state) => breakers.set(urgency.toLowerCase(), BREAKER_VALUE[state]),
  };
}

/** Pending memories of several servers in one process are added up. */
function pendingMemoriesObserver(meter: Meter): PendingMemoryMetrics["observePendingMemories"] {
  const sources = new Set<{ readonly read: () => Promise<PendingState>; readonly now: () => number }>();
  const states = (): Promise<readonly { readonly count: number; readonly ageMs: number }[]> =>
    Promise.all(
      [...sources].map(async ({ read, now }) => {
        // An unreadable value is omitted from the scrape; calls report the error.
        const state = await read().catch((): PendingState => ({ count: 0 }));
        return {
          count: state.count,
          ageMs: state.oldestTime === undefined ? 0 : Math.max(0, now() - state.oldestTime),
        };
      }),
    );
  meter
    .createObservableGauge("recollect_embedding_backlog", {
      description: "Pending memories, which have no vector yet.",
      valueType: ValueType.INT,
    })
    .addCallback(async (result) => {
      result.observe((await states()).reduce((sum, { count }) => sum + count, 0));
    });
  meter
    .createObservableGauge("recollect_embedding_backlog_oldest_seconds", {
      description: "Age of the oldest pending memory; 0 without pending memories.",
      unit: "s",
    })
    .addCallback(async (result) => {
      result.observe(Math.max(0, ...(await states()).map(({ ageMs }) => ageMs)) / 1000);
    });
  return (read, now) => {
    const source = { read, now };
    sources.add(source);
    return () => void sources.delete(source);
  };
}
