import { describe, expect, it } from "vitest";
import { sleep } from "./sleep.ts";

/** Longer than any test may take. */
const FOREVER_MS = 1_000_000;

describe("sleep", () => {
  it("resolves when the time is over", async () => {
    await expect(sleep(1, new AbortController().signal)).resolves.toBeUndefined();
  });

  it("rejects with the reason of a signal that aborts meanwhile, or has aborted before", async () => {
    const controller = new AbortController();
    const reason = new TypeError("no longer wanted");
    const sleeping = sleep(FOREVER_MS, controller.signal);
    controller.abort(reason);
    await expect(sleeping).rejects.toBe(reason);
    await expect(sleep(FOREVER_MS, controller.signal)).rejects.toBe(reason);
  });
});
