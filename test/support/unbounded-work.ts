import type { WorkQueue } from "../../src/ports/work-queue.ts";

/** Starts all work at once, whatever else goes on: for use cases on their own. */
export const unboundedWork: WorkQueue = {
  hasQueuedWork: false,
  refusal: () => undefined,
  run: (_work, _signal, task) => task(),
  runNow: (_kind, task) => task(),
};
