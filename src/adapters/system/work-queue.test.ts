import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { RecollectError } from "../../domain/errors.ts";
import type { Load } from "../../ports/metrics.ts";
import type { Work } from "../../ports/work-queue.ts";
import { FairWorkQueue } from "./work-queue.ts";

/** Searches that are under way at most. */
const SEARCHES_AT_ONCE = 8;

let now = 0;
let read: () => Load;
const workDropped = vi.fn();
const warn = vi.fn();
const running = new AbortController().signal;
let queue: FairWorkQueue;

beforeEach(() => {
  now = 1000;
  vi.clearAllMocks();
  queue = new FairWorkQueue({
    maxWaiting: 100,
    now: () => now,
    log: { warn },
    metrics: {
      workDropped,
      observeLoad: (given) => {
        read = given;
        return () => undefined;
      },
    },
  });
});
afterEach(() => queue[Symbol.dispose]());

function work(changes: Partial<Work> = {}): Work {
  return { tenant: "a", kind: "SEARCH", deadline: Number.POSITIVE_INFINITY, ...changes };
}

function reasonOf(error: unknown): string {
  if (!(error instanceof RecollectError)) throw error;
  return error.reason;
}

const nextTurn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

/** As many searches as can be under way, until the returned function is called. */
async function fill(): Promise<{ end(): void; ended: Promise<unknown> }> {
  const gate = Promise.withResolvers<void>();
  const searches = Array.from({ length: SEARCHES_AT_ONCE }, () =>
    queue.run(work(), running, () => gate.promise),
  );
  while (read().waiting > 0) await nextTurn();
  return { end: () => gate.resolve(), ended: Promise.all(searches) };
}

describe("work that need not wait", () => {
  it("is started at once, and answers what it resolves or rejects with", async () => {
    const task = vi.fn(async () => 1);
    const answer = queue.run(work(), running, task);
    expect(task).toHaveBeenCalledTimes(1);
    expect(await answer).toBe(1);
    const failure = new Error("failed");
    await expect(queue.run(work(), running, () => Promise.reject(failure))).rejects.toBe(failure);
    const thrown = (): never => {
      throw failure;
    };
    await expect(queue.run(work(), running, thrown)).rejects.toBe(failure);
    expect(await queue.runNow("LOOKUP", async () => 2)).toBe(2);
  });

  it("is not started for a call that has ended", async () => {
    const task = vi.fn(async () => 1);
    const gone = new Error("gone");
    await expect(queue.run(work(), AbortSignal.abort(gone), task)).rejects.toBe(gone);
    await expect(queue.run(work({ deadline: now }), running, task).catch(reasonOf)).resolves.toBe(
      "DEADLINE_EXCEEDED",
    );
    expect(task).not.toHaveBeenCalled();
    expect(workDropped).toHaveBeenCalledTimes(2);
  });
});

describe("work that has to wait", () => {
  it("waits for a turn of the event loop when this one has had its slice", async () => {
    const order: string[] = [];
    const first = queue.run(work(), running, async () => {
      now += 5;
      order.push("first");
    });
    const second = queue.run(work(), running, async () => void order.push("second"));
    expect(queue.runNow("LOOKUP", async () => 1)).toBeUndefined();
    await first;
    order.push("the turn ends");
    await second;
    expect(order).toEqual(["first", "the turn ends", "second"]);
  });

  it("waits for one of those under way to end, and then begins in order", async () => {
    const { end, ended } = await fill();
    const order: number[] = [];
    const later = [1, 2, 3].map((at) => queue.run(work(), running, async () => void order.push(at)));
    await nextTurn();
    expect(order).toEqual([]);
    expect(read()).toMatchObject({ waiting: 3 });
    end();
    await Promise.all([ended, ...later]);
    expect(order).toEqual([1, 2, 3]);
    expect(read()).toMatchObject({ waiting: 0 });
  });

  it("gives another tenant its turn before what a flood has left waiting", async () => {
    const { end, ended } = await fill();
    const order: string[] = [];
    const flood = Array.from({ length: 20 }, () =>
      queue.run(work(), running, async () => void order.push("a")),
    );
    const other = queue.run(work({ tenant: "b" }), running, async () => void order.push("b"));
    end();
    await Promise.all([ended, ...flood, other]);
    expect(order.indexOf("b")).toBeLessThan(2);
  });

  it("is dropped, and counted, when its call ends first", async () => {
    const { end, ended } = await fill();
    const call = new AbortController();
    const task = vi.fn(async () => 1);
    const waiting = queue.run(work(), call.signal, task);
    const gone = new Error("gone");
    call.abort(gone);
    await expect(waiting).rejects.toBe(gone);
    expect(read()).toMatchObject({ waiting: 0 });
    end();
    await ended;
    await nextTurn();
    expect(task).not.toHaveBeenCalled();
    expect(workDropped).toHaveBeenCalledExactlyOnceWith("SEARCH");
  });

  it("is dropped, and counted, when its deadline has passed before its turn", async () => {
    const { end, ended } = await fill();
    const task = vi.fn(async () => 1);
    const waiting = queue.run(work({ deadline: now + 2000 }), running, task).catch(reasonOf);
    now += 2000;
    end();
    expect(await waiting).toBe("DEADLINE_EXCEEDED");
    await ended;
    expect(task).not.toHaveBeenCalled();
    expect(workDropped).toHaveBeenCalledExactlyOnceWith("SEARCH");
  });
});

describe("work that would wait for too long", () => {
  it("is refused with the estimate, before anything is done for it", async () => {
    const { end, ended } = await fill();
    // What is under way has not moved for so long.
    now += 1500;
    expect(queue.refusal(work({ deadline: now + 2000 }))).toMatchObject({
      reason: "SERVER_OVERLOADED",
      detail: { metadata: { estimated_wait_ms: "1500" }, retryAfterMs: 1500 },
    });
    const task = vi.fn(async () => 1);
    await expect(queue.run(work({ deadline: now + 2000 }), running, task).catch(reasonOf)).resolves.toBe(
      "SERVER_OVERLOADED",
    );
    expect(task).not.toHaveBeenCalled();
    // A bulk load has time.
    expect(queue.refusal(work())).toBeUndefined();
    end();
    await ended;
    await nextTurn();
    expect(queue.refusal(work({ deadline: now + 2000 }))).toBeUndefined();
  });

  it("is refused when too much waits already", async () => {
    const { end, ended } = await fill();
    const waiting = Array.from({ length: 100 }, () => queue.run(work(), running, async () => 1));
    await expect(queue.run(work(), running, async () => 1).catch(reasonOf)).resolves.toBe(
      "SERVER_OVERLOADED",
    );
    end();
    await Promise.all([ended, ...waiting]);
  });

  it("is said in the log at times, not each time", async () => {
    await fill();
    now += 60_000;
    for (let at = 0; at < 50; at += 1) expect(queue.refusal(work())).toBeDefined();
    expect(warn).toHaveBeenCalledTimes(1);
    now += 10_000;
    expect(queue.refusal(work())).toBeDefined();
    expect(warn).toHaveBeenCalledTimes(2);
    expect(warn.mock.lastCall?.[0]).toMatchObject({ refused: 50 });
  });
});
