import { type Meter, ValueType } from "@opentelemetry/api";
import type { GuardMetrics, GuardOff } from "../ports/metrics.ts";

/** Metrics of the content guard. */
export function createGuardInstruments(meter: Meter): GuardMetrics {
  const readers = new Set<() => GuardOff>();
  meter
    .createObservableGauge("recollect_cache_guard_off", {
      description:
        "Where the content guard is off: 1 for the scope server while CACHE_GUARD=off, and for the scope namespace the " +
        "number of namespaces with such a policy that this process used within the last hour.",
      valueType: ValueType.INT,
    })
    .addCallback((result) => {
      const states = [...readers].map((read) => read());
      result.observe(states.some(({ server }) => server) ? 1 : 0, { scope: "server" });
      const namespaces = states.reduce((sum, state) => sum + state.namespaces, 0);
      result.observe(namespaces, { scope: "namespace" });
    });
  return {
    observeGuardOff: (read) => {
      readers.add(read);
      return () => readers.delete(read);
    },
  };
}
