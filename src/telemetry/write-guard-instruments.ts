import { type Meter, ValueType } from "@opentelemetry/api";
import type { WriteGuardMetrics } from "../ports/metrics.ts";

/** Metrics of write guards. A counter appears with its first value. */
export function createWriteGuardInstruments(meter: Meter): WriteGuardMetrics {
  const counter = meter.createCounter("recollect_write_guard", {
    description:
      "Memories to which a write guard has applied its action: secrets (flag, redact, quarantine, reject), recall_loop " +
      "(return_existing).",
    valueType: ValueType.INT,
  });
  return { writeGuard: (guard, action) => counter.add(1, { guard, action: action.toLowerCase() }) };
}
