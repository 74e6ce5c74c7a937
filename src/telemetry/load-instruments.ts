import { type Meter, ValueType } from "@opentelemetry/api";
import type { Load, LoadMetrics } from "../ports/metrics.ts";

/** Metrics of the work queue and of overload. */
export function createLoadInstruments(meter: Meter): LoadMetrics {
  const readers = new Set<() => Load>();
  const dropped = meter.createCounter("recollect_work_dropped", {
    description: "Queued work dropped because its call had ended or its deadline had passed, by kind.",
    valueType: ValueType.INT,
  });
  const sum = (value: (load: Load) => number): number =>
    [...readers].reduce((total, read) => total + value(read()), 0);
  meter
    .createObservableGauge("recollect_work_waiting", {
      description: "Queued units of heavy work, such as searches.",
      valueType: ValueType.INT,
    })
    .addCallback((result) => result.observe(sum(({ queuedWork }) => queuedWork)));
  meter
    .createObservableGauge("recollect_event_loop_delay_seconds", {
      description: "Current delay of the event loop.",
    })
    .addCallback((result) => result.observe(sum(({ eventLoopDelayMs }) => eventLoopDelayMs) / 1000));
  return {
    workDropped: (kind) => dropped.add(1, { kind: kind.toLowerCase() }),
    observeLoad: (read) => {
      readers.add(read);
      return () => readers.delete(read);
    },
  };
}
