import type { OperatorLog } from "../../src/ports/log.ts";
import type { RedisMeter, StoreMeter } from "../../src/ports/metrics.ts";

/** A log and a meter for stores whose words and numbers the test does not look at. */
export const quiet: { readonly log: OperatorLog; readonly meter: StoreMeter & RedisMeter } = {
  log: { warn: () => undefined, error: () => undefined, info: () => undefined, debug: () => undefined },
  meter: {
    storeDamaged: () => undefined,
    storeRepaired: () => undefined,
    observeStoreDisk: () => () => undefined,
    storeRisks: () => undefined,
    recordPacked: () => undefined,
    observeStoreMemory: () => () => undefined,
  },
};
