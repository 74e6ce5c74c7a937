import { expect, it } from "vitest";
import { manualSleep } from "../../test/support/manual-sleep.ts";
import { watchBackend } from "./backend-watch.ts";

/** A watch with a fake backend and clock; `step` runs one check. */
function watched() {
  const sleeping = manualSleep();
  const changes: boolean[] = [];
  const world = { there: true, elapsed: 0 };
  const watch = watchBackend({
    check: () => (world.there ? Promise.resolve() : Promise.reject(new Error("away"))),
    sleep: sleeping.sleep,
    elapsed: () => world.elapsed,
    onChange: (there) => changes.push(there),
  });
  let looks = 1;
  const step = async (elapsed: number, there: boolean): Promise<void> => {
    await sleeping.begun(looks);
    Object.assign(world, { there, elapsed });
    looks += 1;
    sleeping.wake();
    await sleeping.begun(looks);
  };
  return { watch, changes, step, sleeping };
}

it("reports a backend that is unavailable for ten seconds once, and its return", async () => {
  const { watch, changes, step } = watched();
  await using _ = watch;
  await step(1000, true);
  await step(2000, false);
  await step(10_999, false);
  expect(changes).toEqual([]);
  await step(11_000, false);
  await step(30_000, false);
  expect(changes).toEqual([false]);
  await step(31_000, true);
  await step(32_000, true);
  expect(changes).toEqual([false, true]);
});

it("reports nothing when the backend returns earlier", async () => {
  const { watch, changes, step } = watched();
  await using _ = watch;
  for (let second = 1; second < 60; second += 1) await step(second * 1000, second % 9 === 0);
  expect(changes).toEqual([]);
});

it("ends when disposed, also during a pause", async () => {
  const { watch, sleeping } = watched();
  await sleeping.begun(1);
  await watch[Symbol.asyncDispose]();
  expect(sleeping.durations).toEqual([1000]);
});
