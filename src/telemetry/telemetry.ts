import type { IncomingMessage, ServerResponse } from "node:http";
import { metrics } from "@opentelemetry/api";
import { PrometheusExporter } from "@opentelemetry/exporter-prometheus";
import { NodeSDK } from "@opentelemetry/sdk-node";
import { CallDurations } from "./call-durations.ts";
import { createInstruments, type Instruments } from "./instruments.ts";

/** Metrics while the process runs, and the page that Prometheus reads them from. */
export interface Telemetry extends AsyncDisposable {
  readonly instruments: Instruments;
  /** Answers a scrape. */
  readonly scrape: (request: IncomingMessage, response: ServerResponse) => void;
}

interface Running {
  readonly sdk: NodeSDK;
  readonly exporter: PrometheusExporter;
  readonly instruments: Instruments;
  users: number;
}

let running: Running | undefined;

/**
 * Starts OpenTelemetry with a Prometheus exporter that has no server of its own: /metrics is a path of our HTTP
 * server. OpenTelemetry's providers are process-wide, so a second server in the process shares those of the first;
 * the last one to stop shuts them down.
 */
export function openTelemetry(): Telemetry {
  running ??= start();
  const current = running;
  current.users += 1;
  return {
    instruments: current.instruments,
    scrape: (request, response) => current.exporter.getMetricsRequestHandler(request, response),
    [Symbol.asyncDispose]: async () => {
      current.users -= 1;
      if (current.users > 0) return;
      running = undefined;
      await current.sdk.shutdown();
      metrics.disable();
    },
  };
}

function start(): Running {
  const calls = new CallDurations();
  const exporter = new PrometheusExporter({
    preventServerStart: true,
    withoutScopeInfo: true,
    metricProducers: [calls],
  });
  const sdk = new NodeSDK({
    serviceName: "recollect",
    autoDetectResources: false,
    metricReaders: [exporter],
    // Metrics are pulled by scrapes only; no traces or logs are sent to a collector.
    spanProcessors: [],
    logRecordProcessors: [],
  });
  sdk.start();
  return { sdk, exporter, instruments: createInstruments(calls), users: 0 };
}
