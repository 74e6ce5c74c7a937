import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { RecollectError } from "../../domain/errors.ts";
import type { Load } from "../../ports/metrics.ts";
import type { Work } from "../../ports/work-queue.ts";
import { FairWorkQueue } from "./work-queue.ts";

/** Most concurrent searches. */
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
    maxQueued: 100,
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

const nextTick = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

/** Runs as many searches as possible, until `end` is called. */
async function fill(): Promise<{ end(): void; finished: Promise<unknown> }> {
  const gate = Promise.withResolvers<void>();
  const searches = Array.from({ length: SEARCHES_AT_ONCE }, () =>
    queue.run(work(), running, () => gate.promise),
  );
  while (read().queuedWork > 0) await nextTick();
  return { end: () => gate.resolve(), finished: Promise.all(searches) };
}

describe("work with an empty queue", () => {
  it("is started at once, and settles as its task", async () => {
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

  it("is not started for a call that was cancelled or whose deadline has passed", async () => {
    const task = vi.fn(async () => 1);
    const reason = new Error("cancelled");
    await expect(queue.run(work(), AbortSignal.abort(reason), task)).rejects.toBe(reason);
    await expect(queue.run(work({ deadline: now }), running, task).catch(reasonOf)).resolves.toBe(
      "DEADLINE_EXCEEDED",
    );
    expect(task).not.toHaveBeenCalled();
    expect(workDropped).toHaveBeenCalledTimes(2);
  });
});

describe("queued work", () => {
  it("is started in a later tick of the event loop when the slice of this one is over", async () => {
    const order: string[] = [];
    const first = queue.run(work(), running, async () => {
      now += 5;
      order.push("first");
    });
    const second = queue.run(work(), running, async () => void order.push("second"));
    expect(queue.runNow("LOOKUP", async () => 1)).toBeUndefined();
    await first;
    order.push("end of the tick");
    await second;
    expect(order).toEqual(["first", "end of the tick", "second"]);
  });

  it("is started in order when running work has finished", async () => {
    const { end, finished } = await fill();
    const order: number[] = [];
    const later = [1, 2, 3].map((at) => queue.run(work(), running, async () => void order.push(at)));
    await nextTick();
    expect(order).toEqual([]);
    expect(read()).toMatchObject({ queuedWork: 3 });
    end();
    await Promise.all([finished, ...later]);
    expect(order).toEqual([1, 2, 3]);
    expect(read()).toMatchObject({ queuedWork: 0 });
  });

  it("of another tenant is started before the queued work of a flood", async () => {
    const { end, finished } = await fill();
    const order: string[] = [];
    const flood = Array.from({ length: 20 }, () =>
      queue.run(work(), running, async () => void order.push("a")),
    );
    const other = queue.run(work({ tenant: "b" }), running, async () => void order.push("b"));
    end();
    await Promise.all([finished, ...flood, other]);
    expect(order.indexOf("b")).toBeLessThan(2);
  });

  it("is dropped, and counted, when its call is cancelled before its start", async () => {
    const { end, finished } = await fill();
    const call = new AbortController();
    const task = vi.fn(async () => 1);
    const result = queue.run(work(), call.signal, task);
    const reason = new Error("cancelled");
    call.abort(reason);
    await expect(result).rejects.toBe(reason);
    expect(read()).toMatchObject({ queuedWork: 0 });
    end();
    await finished;
    await nextTick();
    expect(task).not.toHaveBeenCalled();
    expect(workDropped).toHaveBeenCalledExactlyOnceWith("SEARCH");
  });

  it("is dropped, and counted, when its deadline passes before its start", async () => {
    const { end, finished } = await fill();
    const task = vi.fn(async () => 1);
    const result = queue.run(work({ deadline: now + 2000 }), running, task).catch(reasonOf);
    now += 2000;
    end();
    expect(await result).toBe("DEADLINE_EXCEEDED");
    await finished;
    expect(task).not.toHaveBeenCalled();
    expect(workDropped).toHaveBeenCalledExactlyOnceWith("SEARCH");
  });
});

describe("work that would be queued for too long", () => {
  it("is refused with the estimate, before it is started", async () => {
    const { end, finished } = await fill();
    // Running work has made no progress for so long.
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
    // A bulk load may be queued for longer.
    expect(queue.refusal(work())).toBeUndefined();
    end();
    await finished;
    await nextTick();
    expect(queue.refusal(work({ deadline: now + 2000 }))).toBeUndefined();
  });

  it("is refused when the queue is full", async () => {
    const { end, finished } = await fill();
    const queued = Array.from({ length: 100 }, () => queue.run(work(), running, async () => 1));
    await expect(queue.run(work(), running, async () => 1).catch(reasonOf)).resolves.toBe(
      "SERVER_OVERLOADED",
    );
    end();
    await Promise.all([finished, ...queued]);
  });

  it("is logged with a rate limit", async () => {
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
