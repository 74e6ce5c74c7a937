import { describe, expect, it } from "vitest";
import { NOW, newMemory } from "../../../test/support/builders.ts";
import { manualSleep } from "../../../test/support/manual-sleep.ts";
import { referenceStores } from "../../../test/support/reference/backend.ts";
import type { WorkQueue } from "../../ports/work-queue.ts";
import type { CallContext } from "../call.ts";
import { type WatchMemoriesPorts, watchMemories } from "./watch-memories.ts";

const SCOPE = { tenant: "t", namespace: "n" };

/** Reference stores that count what a watch reads from them. */
function watched() {
  const { memories } = referenceStores();
  const read = { changes: 0, memories: [] as number[], queued: 0 };
  const work: Pick<WorkQueue, "run"> = {
    run: (_work, _signal, task) => {
      read.queued += 1;
      return task();
    },
  };
  const ports: WatchMemoriesPorts = {
    memories: {
      reader: {
        get: (key, ids, now) => {
          read.memories.push(ids.length);
          return memories.reader.get(key, ids, now);
        },
      },
      changes: {
        ...memories.changes,
        read: (key, after, limit) => {
          read.changes += 1;
          return memories.changes.read(key, after, limit);
        },
      },
    },
    clock: { now: () => NOW },
    sleep: manualSleep().sleep,
    work: work as WorkQueue,
  };
  const create = (...ids: readonly string[]) =>
    memories.writer.create(
      SCOPE,
      ids.map((id) => newMemory({ id })),
      { now: NOW },
    );
  return { ports, read, create };
}

function contextOf(signal: AbortSignal): CallContext {
  const caller = { tenant: SCOPE.tenant, principal: "p", roles: new Set<never>(), debug: false };
  return { caller, signal, arrival: 0, deadline: Number.POSITIVE_INFINITY };
}

describe("watchMemories", () => {
  const never = new AbortController().signal;
  const input = { namespace: SCOPE.namespace, resumeToken: "" };

  it("reads no more than a page ahead of a client that reads slowly", async () => {
    const { ports, read, create } = watched();
    const events = watchMemories(ports, input, contextOf(never));
    await events.next();
    const ids = Array.from({ length: 300 }, (_, at) => `m${at}`);
    await create(...ids);
    const before = read.changes;
    for (let at = 0; at < 17; at += 1) await events.next();
    expect(read.changes).toBe(before + 1);
    expect(read.memories).toEqual([16, 16]);
    await events.return(undefined);
  });

  it("reads a memory once for several changes of it", async () => {
    const { ports, read, create } = watched();
    await create("m1");
    const events = watchMemories(ports, input, contextOf(never));
    await events.next();
    await create("m2");
    const { value } = await events.next();
    expect(value?.changed?.change).toMatchObject({ kind: "CREATED", memoryId: "m2" });
    expect(read.memories).toEqual([1]);
    await events.return(undefined);
  });

  it("reads through the work queue", async () => {
    const { ports, read, create } = watched();
    await create("m1");
    const events = watchMemories(ports, input, contextOf(never));
    await events.next();
    await create("m2");
    await events.next();
    // The end of the feed is one more.
    expect(read.queued).toBe(1 + read.changes + read.memories.length);
    await events.return(undefined);
  });

  it("rejects with the reason of its signal while it waits", async () => {
    const { ports } = watched();
    const abort = new AbortController();
    const events = watchMemories(ports, input, contextOf(abort.signal));
    await events.next();
    const next = events.next();
    const reason = new Error("cancelled");
    abort.abort(reason);
    await expect(next).rejects.toBe(reason);
  });
});
