import { beforeEach, describe, expect, it } from "vitest";
import { DAY } from "../../../test/support/builders.ts";
import {
  type CompactionWorld,
  callBy,
  compactionWorld,
  PLACE,
} from "../../../test/support/compaction-world.ts";
import { manualSleep } from "../../../test/support/manual-sleep.ts";
import { cleanUp } from "./clean-up.ts";
import { updateCompactionPolicy } from "./compaction-policy.ts";
import { CompactionOverviews } from "./overview.ts";
import { startDueRuns } from "./scheduler.ts";
import { startCompaction } from "./start-compaction.ts";
import { undoCompaction } from "./undo-compaction.ts";
import { CompactionWorker } from "./worker.ts";

const INPUT = { namespace: "", userId: "", overrides: {}, validateOnly: false, requireApproval: false };
const TWINS = [
  { id: "a1", userId: "ana", text: "Ana likes green tea." },
  { id: "a2", userId: "ana", text: "Ana likes green tea." },
];

let world: CompactionWorld;
beforeEach(async () => {
  world = await compactionWorld();
});

async function run(): Promise<string> {
  const { stored } = await startCompaction(world.ports, INPUT, callBy());
  await world.execute(stored.run.id);
  return stored.run.id;
}
const runs = () => world.ports.store.list(PLACE, { limit: 100 });

describe("the scheduler", () => {
  const continued: string[] = [];
  const worker = { waiting: 0, continueRun: (_: unknown, id: string) => void continued.push(id) };
  const schedule = () => startDueRuns({ ...world.ports, worker, random: () => 0.5 });
  beforeEach(() => continued.splice(0));

  it("starts a run of each changed scope when the interval is over, and none where nothing changed", async () => {
    await world.remember(...TWINS, { id: "n1", text: "no user" });
    await schedule();
    expect(await runs()).toEqual([]);
    world.advance(DAY);
    await schedule();
    const started = (await runs()).map(({ run: { userId, scheduled } }) => [userId, scheduled]);
    expect(started.toSorted()).toEqual([
      ["", true],
      ["ana", true],
    ]);
    expect(continued).toHaveLength(2);
    await schedule();
    expect(await runs()).toHaveLength(2);
    for (const id of continued) await world.execute(id);
    world.advance(2 * DAY);
    await schedule();
    // What a run itself has changed is no change.
    expect(await runs()).toHaveLength(2);
  });

  it("starts one earlier after many changes", async () => {
    world = await compactionWorld({});
    const settings = { ...world.ports.settings, maxChanges: 2 };
    await world.remember(...TWINS);
    await startDueRuns({ ...world.ports, settings, worker, random: () => 0.5 });
    expect(await runs()).toHaveLength(1);
  });

  it("on several servers starts each run once", async () => {
    await world.remember(...TWINS);
    world.advance(DAY);
    await Promise.all(Array.from({ length: 5 }, schedule));
    expect(await runs()).toHaveLength(1);
  });

  it("leaves a namespace alone that has switched it off, and waits for a worker that is behind", async () => {
    await world.remember(...TWINS);
    world.advance(DAY);
    await startDueRuns({ ...world.ports, worker: { ...worker, waiting: 20 }, random: () => 0.5 });
    expect(await runs()).toEqual([]);
    const policy = { scheduled: false };
    await updateCompactionPolicy(world.ports, { namespace: "", policy, etag: "" }, callBy());
    await schedule();
    expect(await runs()).toEqual([]);
  });

  it("goes on where a run of somebody else is under way", async () => {
    await world.remember(...TWINS, { id: "b1", userId: "ben", text: "something" });
    await startCompaction(world.ports, { ...INPUT, userId: "ana" }, callBy());
    world.advance(DAY);
    await schedule();
    expect((await runs()).map(({ run: { userId } }) => userId).toSorted()).toEqual(["ana", "ben"]);
  });
});

describe("the worker", () => {
  it("takes up what it is asked to, and what others have left", async () => {
    await world.remember(...TWINS);
    const left = await startCompaction(world.ports, INPUT, callBy());
    const pauses = manualSleep();
    await using worker = new CompactionWorker({ ...world.ports, sleep: pauses.sleep, random: () => 0.5 });
    await pauses.begun(1);
    const state = async (id: string) => (await world.ports.store.get(PLACE, id))?.run.state;
    expect(await state(left.stored.run.id)).toBe("SUCCEEDED");
    const asked = await startCompaction(world.ports, INPUT, callBy());
    worker.continueRun(PLACE, asked.stored.run.id);
    await pauses.begun(2);
    expect(await state(asked.stored.run.id)).toBe("SUCCEEDED");
  });

  it("tries again after a pause when the store does not answer", async () => {
    const pauses = manualSleep();
    let isDown = true;
    const store = {
      ...world.ports.store,
      unfinished: (options: Parameters<typeof world.ports.store.unfinished>[0]) =>
        isDown ? Promise.reject(new Error("down")) : world.ports.store.unfinished(options),
    };
    const { stored } = await startCompaction(world.ports, INPUT, callBy());
    await using _ = new CompactionWorker({ ...world.ports, store, sleep: pauses.sleep, random: () => 0.5 });
    await pauses.begun(1);
    isDown = false;
    pauses.wake();
    await pauses.begun(2);
    expect((await world.ports.store.get(PLACE, stored.run.id))?.run.state).toBe("SUCCEEDED");
  });
});

describe("cleaning up", () => {
  const { signal } = new AbortController();

  it("deletes nothing for good unless that is set", async () => {
    await world.remember(...TWINS);
    await run();
    world.advance(29 * DAY);
    await cleanUp(world.ports, undefined, signal);
    expect(await world.everything()).toHaveLength(2);
    expect(await runs()).toHaveLength(1);
    world.advance(2 * DAY);
    await cleanUp(world.ports, undefined, signal);
    expect(await runs()).toEqual([]);
    expect(await world.everything()).toHaveLength(2);
  });

  it("deletes what a run has removed from default reads, never what a caller has superseded or restored", async () => {
    await world.remember(...TWINS, { id: "old", userId: "ana", text: "lives in Rome" });
    await world.remember(
      { id: "b1", userId: "ben", text: "twice" },
      { id: "b2", userId: "ben", text: "twice" },
    );
    await world.remember({ id: "new", userId: "ana", text: "lives in Berlin", supersedes: ["old"] });
    const id = await run();
    const gone = (await world.everything()).filter(({ state }) => state === "SUPERSEDED");
    expect(gone.map((one) => one.userId).toSorted()).toEqual(["ana", "ana", "ben"]);
    const ofBen = gone.find(({ userId }) => userId === "ben")?.id ?? "";
    await undoCompaction(world.ports, { namespace: "", id, memoryId: ofBen }, callBy());
    const settings = { ...world.ports.settings, purgeAfterMs: 7 * DAY };
    const ports = { ...world.ports, settings };
    const early = await cleanUp(ports, undefined, signal);
    expect(early).toBeUndefined();
    world.advance(7 * DAY + 1);
    const position = await cleanUp(ports, undefined, signal);
    expect(position).toMatchObject({ id });
    const left = (await world.everything()).map((one) => one.id);
    expect(left).toContain("old");
    expect(left).toContain(ofBen);
    expect(left).toHaveLength(5);
    expect(world.metrics.memories.get("purged EQUAL_TEXT")).toBe(1);
    expect(await cleanUp(ports, position, signal)).toEqual(position);
  });
});

describe("the overview", () => {
  it("is 0 before any run, then the tokens that the runs of 24 hours have saved", async () => {
    const overviews = new CompactionOverviews(world.ports.store, world.ports.clock);
    expect(await overviews.read()).toEqual({ efficiency: 0, oldestChangeMs: 0, unclaimedRuns: 0 });
    await world.remember(...TWINS);
    world.advance(3_600_000);
    expect(await overviews.read()).toEqual({ efficiency: 0, oldestChangeMs: 3_600_000, unclaimedRuns: 0 });
    const id = await run();
    world.advance(60_000);
    expect((await overviews.read()).efficiency).toBeCloseTo(0.5);
    const other = new CompactionOverviews(world.ports.store, world.ports.clock);
    expect((await other.read()).efficiency).toBeCloseTo(0.5);
    await undoCompaction(world.ports, { namespace: "", id, memoryId: "" }, callBy());
    world.advance(6 * 60_000);
    expect((await overviews.read()).efficiency).toBe(0);
    const { stored } = await startCompaction(world.ports, INPUT, callBy());
    world.advance(60_000);
    expect((await overviews.read()).unclaimedRuns).toBe(1);
    await world.execute(stored.run.id);
    world.advance(DAY + 1);
    expect((await overviews.read()).efficiency).toBe(0);
  });
});
