import type { WorkQueue } from "../../src/ports/work-queue.ts";

/** A work queue without limits, for unit tests of use cases. */
export const unboundedWork: WorkQueue = {
  hasQueuedWork: false,
  refusal: () => undefined,
  run: (_work, _signal, task) => task(),
  runNow: (_kind, task) => task(),
};
