import { expect, it, vi } from "vitest";
import { manualSleep } from "../../../test/support/manual-sleep.ts";
import { RecollectError } from "../../domain/errors.ts";
import type { ReembeddingStore } from "../../ports/embedding/reembedding-store.ts";
import { startReembeddingRunner } from "./reembedding-runner.ts";

const away = new RecollectError("STORE_UNAVAILABLE", "Redis is away");

/** A runner whose store fails so often, and then has nothing to do. */
function startedWith(failures: number) {
  const sleeping = manualSleep();
  const log = { warn: vi.fn() };
  let left = failures;
  const latest = vi.fn(async () => {
    left -= 1;
    if (left >= 0) throw away;
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

it("goes on after the store was away, with longer and longer pauses, and says so once", async () => {
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

it("ends in a pause when it is disposed of", async () => {
  const { runner, sleeping, latest } = startedWith(100);
  await sleeping.begun(1);
  await runner[Symbol.asyncDispose]();
  expect(latest).toHaveBeenCalledTimes(1);
});
