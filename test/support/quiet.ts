import type { OperatorLog } from "../../src/ports/log.ts";
import type { RedisMetrics, StoreMetrics } from "../../src/ports/metrics.ts";

/** A log and metrics that discard everything. */
export const quiet: { readonly log: OperatorLog; readonly metrics: StoreMetrics & RedisMetrics } = {
  log: { warn: () => undefined, error: () => undefined, info: () => undefined, debug: () => undefined },
  metrics: {
    cacheRemoved: () => undefined,
    storeDamaged: () => undefined,
    storeRepaired: () => undefined,
    observeStoreDisk: () => () => undefined,
    storeRisks: () => undefined,
    recordPacked: () => undefined,
    observeStoreMemory: () => () => undefined,
  },
};
