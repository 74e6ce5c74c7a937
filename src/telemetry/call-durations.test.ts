import type { HistogramMetricData } from "@opentelemetry/sdk-metrics";
import { describe, expect, it } from "vitest";
import { CallDurations, DURATION_BUCKETS } from "./call-durations.ts";

const METHOD = "/recollect.v1.CacheService/LookupCache";

async function seriesOf(calls: CallDurations): Promise<HistogramMetricData["dataPoints"]> {
  const { resourceMetrics, errors } = await calls.collect();
  expect(errors).toEqual([]);
  return resourceMetrics.scopeMetrics.flatMap(({ metrics }) =>
    metrics.flatMap((metric) => (metric as HistogramMetricData).dataPoints),
  );
}

describe("CallDurations", () => {
  it("exports nothing before the first call", async () => {
    expect(await seriesOf(new CallDurations())).toEqual([]);
  });

  it("separates methods, codes and transports, and is cumulative across collections", async () => {
    const calls = new CallDurations();
    calls.add(METHOD, "OK", "grpc", 1);
    calls.add(METHOD, "OK", "http", 1);
    calls.add(METHOD, "INTERNAL", "grpc", 1);
    calls.add("/recollect.v1.CacheService/GetCacheStats", "OK", "grpc", 1);
    expect((await seriesOf(calls)).map(({ value }) => value.count)).toEqual([1, 1, 1, 1]);
    calls.add(METHOD, "OK", "grpc", 2);
    const [first] = await seriesOf(calls);
    expect(first?.value).toMatchObject({ count: 2, sum: 0.003 });
    expect(first?.attributes).toEqual({
      "rpc.system.name": "grpc",
      "rpc.method": METHOD.slice(1),
      "rpc.response.status_code": "OK",
      "recollect.transport": "grpc",
    });
  });

  it("counts a duration in the first bucket whose bound it does not exceed, and the longest in the last", async () => {
    const calls = new CallDurations();
    for (const bound of DURATION_BUCKETS) calls.add(METHOD, "OK", "grpc", bound * 1000);
    for (const seconds of [0.0006, 0.0009, 31]) calls.add(METHOD, "OK", "grpc", seconds * 1000);
    const [series] = await seriesOf(calls);
    const expected = [...DURATION_BUCKETS.map(() => 1), 1];
    expected[1] = 3;
    expect(series?.value.buckets).toEqual({ boundaries: DURATION_BUCKETS, counts: expected });
  });
});
