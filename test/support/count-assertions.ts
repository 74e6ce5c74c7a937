import { afterEach, expect } from "vitest";

declare module "vitest" {
  interface TaskMeta {
    /** Calls of `expect` in this test and its hooks; the reporter in assertion-counts.ts adds them up. */
    assertions?: number;
  }
}

// Hooks of a setup file run last, so those of the test have made their assertions by then.
afterEach(({ task }) => {
  task.meta.assertions = expect.getState().assertionCalls;
});
