import { expect, it, vi } from "vitest";
import { manualSleep } from "../../../test/support/manual-sleep.ts";
import { RecollectError } from "../../domain/errors.ts";
import type { ReembeddingStore } from "../../ports/embedding/reembedding-store.ts";
import { startReembeddingRunner } from "./reembedding-runner.ts";

const unavailable = new RecollectError("STORE_UNAVAILABLE", "Redis is unavailable");

/** A runner whose store fails so often, and then has no re-embedding. */
function startedWith(failures: number) {
  const sleeping = manualSleep();
  const log = { warn: vi.fn() };
  let left = failures;
  const latest = vi.fn(async () => {
    left -= 1;
    if (left >= 0) throw unavailable;
    return undefined;
  });
  const cleanUp = vi.fn(async () => false);
  const runner = startReembeddingRunner({
    store: { latest, cleanUp, onCutOver: () => undefined } as unknown as ReembeddingStore,
    embedder: {
      identity: { provider: "p", model: "m", dimension: 2 },
      embed: async () => [],
      status: () => undefined,
      switchTo: () => undefined,
    },
    open: () => Promise.reject(new TypeError("was not to be called")),
    clock: { now: () => 0 },
    sleep: sleeping.sleep,
    random: () => 0,
    log,
  });
  return { runner, sleeping, log, latest, cleanUp };
}

it("retries with backoff while the store is unavailable, and logs it once", async () => {
  const { runner, sleeping, log, latest, cleanUp } = startedWith(3);
  await using _ = runner;
  for (let pause = 1; pause <= 3; pause += 1) {
    await sleeping.begun(pause);
    sleeping.wake();
  }
  await vi.waitFor(() => expect(cleanUp).toHaveBeenCalled());
  expect(latest).toHaveBeenCalledTimes(4);
  expect(sleeping.durations).toEqual([500, 1000, 2000]);
  expect(log.warn).toHaveBeenCalledTimes(1);
});

it("stops during a pause when it is disposed", async () => {
  const { runner, sleeping, latest } = startedWith(100);
  await sleeping.begun(1);
  await runner[Symbol.asyncDispose]();
  expect(latest).toHaveBeenCalledTimes(1);
});
