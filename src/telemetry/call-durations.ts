import { type Attributes, type HrTime, ValueType } from "@opentelemetry/api";
import { emptyResource } from "@opentelemetry/resources";
import {
  AggregationTemporality,
  type CollectionResult,
  DataPointType,
  type HistogramMetricData,
  type MetricProducer,
} from "@opentelemetry/sdk-metrics";

/** https://opentelemetry.io/docs/specs/semconv/rpc/rpc-metrics/, with the unit as Prometheus spells it. */
const NAME = "rpc_server_call_duration_seconds";

/** Seconds; from a cache hit to a slow embedding provider. */
export const DURATION_BUCKETS = [
  0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30,
];

/** Calls of one kind: one line of the histogram. */
interface Series {
  readonly attributes: Attributes;
  /** By bucket; the last one is +Inf. */
  readonly counts: number[];
  sum: number;
  count: number;
}

/**
 * The histogram of all calls. A MetricProducer that is read on collection
 * (https://opentelemetry.io/docs/specs/otel/metrics/sdk/#metricproducer): an instrument hashes its attributes for each
 * recorded duration, a tenth of what this service adds to an exact cache hit (measured).
 */
export class CallDurations implements MetricProducer {
  readonly #start: HrTime = now();
  readonly #series = new Map<string, Map<string, Series>>();

  /** `method` is a path, `/package.Service/Method`. */
  add(method: string, code: string, transport: string, durationMs: number): void {
    const seconds = durationMs / 1000;
    const series = this.#seriesOf(method, code, transport);
    // Most calls are in the first of them.
    let bucket = 0;
    while (seconds > (DURATION_BUCKETS[bucket] ?? Number.POSITIVE_INFINITY)) bucket += 1;
    series.counts[bucket] = (series.counts[bucket] ?? 0) + 1;
    series.sum += seconds;
    series.count += 1;
  }

  async collect(): Promise<CollectionResult> {
    const endTime = now();
    const dataPoints = [...this.#series.values()]
      .flatMap((series) => [...series.values()])
      .map(({ attributes, counts, sum, count }) => ({
        attributes,
        startTime: this.#start,
        endTime,
        value: { buckets: { boundaries: DURATION_BUCKETS, counts: [...counts] }, sum, count },
      }));
    const metric: HistogramMetricData = {
      descriptor: {
        name: NAME,
        description: "Duration of calls, by method, status code and transport.",
        unit: "s",
        valueType: ValueType.DOUBLE,
      },
      dataPointType: DataPointType.HISTOGRAM,
      aggregationTemporality: AggregationTemporality.CUMULATIVE,
      dataPoints,
    };
    const scopeMetrics = dataPoints.length === 0 ? [] : [{ scope: { name: "recollect" }, metrics: [metric] }];
    return { resourceMetrics: { resource: emptyResource(), scopeMetrics }, errors: [] };
  }

  #seriesOf(method: string, code: string, transport: string): Series {
    // By method first, whose string object is constant: no key is concatenated for each call.
    let ofMethod = this.#series.get(method);
    if (ofMethod === undefined) {
      ofMethod = new Map();
      this.#series.set(method, ofMethod);
    }
    const key = code === "OK" ? transport : `${transport} ${code}`;
    let series = ofMethod.get(key);
    if (series === undefined) {
      const attributes = {
        "rpc.system.name": "grpc",
        "rpc.method": method.slice(1),
        "rpc.response.status_code": code,
        "recollect.transport": transport,
      };
      series = { attributes, counts: new Array(DURATION_BUCKETS.length + 1).fill(0), sum: 0, count: 0 };
      ofMethod.set(key, series);
    }
    return series;
  }
}

function now(): HrTime {
  const milliseconds = Date.now();
  return [Math.floor(milliseconds / 1000), (milliseconds % 1000) * 1_000_000];
}
