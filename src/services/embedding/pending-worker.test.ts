import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { NOW, newMemory } from "../../../test/support/builders.ts";
import { expectNoLeaks, until } from "../../../test/support/leaks.ts";
import { type ManualSleep, manualSleep } from "../../../test/support/manual-sleep.ts";
import { quiet } from "../../../test/support/quiet.ts";
import {
  failure,
  type ScriptedEmbedder,
  scriptedEmbedder,
  vectorOfText,
} from "../../../test/support/scripted-embedder.ts";
import { SMALL_RESERVED_SPACE } from "../../../test/support/small-reserved-space.ts";
import { openEmbeddedBackend } from "../../adapters/embedded/backend.ts";
import type { Backend } from "../../ports/backend.ts";
import type { EmbeddingWorker } from "./embedding-worker.ts";
import { startPendingWorker } from "./pending-worker.ts";

const SCOPE = { tenant: "t", namespace: "n" };

let directory: string;
let backend: Backend;
let embedder: ScriptedEmbedder;
let sleeper: ManualSleep;
let now: number;
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), "recollect-worker-"));
  embedder = scriptedEmbedder();
  backend = await openEmbeddedBackend({
    directory,
    embedder: embedder.identity,
    ...quiet,
    reserved: SMALL_RESERVED_SPACE,
  });
  sleeper = manualSleep();
  now = NOW;
});
afterEach(async () => {
  await backend[Symbol.asyncDispose]();
  await rm(directory, { recursive: true });
});

const start = (): EmbeddingWorker =>
  startPendingWorker({
    pendingMemories: backend.pendingMemories,
    embedder,
    clock: { now: () => now },
    sleep: sleeper.sleep,
    random: () => 0,
    log: quiet.log,
  });
const write = (...ids: readonly string[]) =>
  backend.memories.writer.create(
    SCOPE,
    ids.map((id) => newMemory({ id, text: id })),
    { now },
  );
const count = async () => (await backend.pendingMemories.state()).count;
const states = async (...ids: readonly string[]) =>
  (await backend.memories.reader.get(SCOPE, ids, now)).map((memory) => memory?.embedding.state);

/** Resolves when nothing is pending. */
async function drained(): Promise<void> {
  for (let tick = 0; tick < 1000 && (await count()) > 0; tick += 1) {
    await new Promise((resolve) => setImmediate(resolve));
  }
  expect(await count()).toBe(0);
}

describe("the worker of pending memories", () => {
  it("embeds the memories that were pending at its start, in batches, each with its own vector", async () => {
    const ids = Array.from({ length: 100 }, (_, index) => `m${index}`);
    await write(...ids);
    await using _worker = start();
    await drained();
    expect(embedder.calls.map(({ texts }) => texts.length)).toEqual([64, 36]);
    expect(embedder.calls.every(({ urgency }) => urgency === "WRITE")).toBe(true);
    expect(await backend.memories.search.vectors(SCOPE, ids)).toEqual(
      ids.map((id) => vectorOfText(id).vector),
    );
  });

  it("wakes up for later writes", async () => {
    await using _worker = start();
    await write("a");
    await drained();
    await write("b");
    await drained();
    expect(embedder.calls.map(({ texts }) => texts)).toEqual([["a"], ["b"]]);
  });

  it("backs off while the provider is down, and requests one text at a time", async () => {
    embedder.always("SERVER_ERROR");
    await write("a", "b");
    await using _worker = start();
    for (const pauses of [1, 2, 3, 4]) {
      await sleeper.begun(pauses);
      // A write does not end the pause.
      await write(`later ${pauses}`);
      sleeper.wake();
    }
    await sleeper.begun(5);
    expect(sleeper.durations).toEqual([500, 1000, 2000, 4000, 8000]);
    expect(embedder.calls.map(({ texts }) => texts.length)).toEqual([2, 1, 1, 1, 1]);
    embedder.always("ok");
    sleeper.wake();
    await drained();
  });

  it("respects Retry-After", async () => {
    embedder.next(failure("RATE_LIMITED", 20_000));
    await write("a");
    await using _worker = start();
    await sleeper.begun(1);
    expect(sleeper.durations).toEqual([20_000]);
    sleeper.wake();
    await drained();
  });

  it("resumes at once when the provider has recovered", async () => {
    embedder.next("BREAKER_OPEN");
    await write("a");
    await using worker = start();
    await sleeper.begun(1);
    worker.recovered();
    await drained();
  });

  it("postpones a text that always fails, embeds the others, and retries it later", async () => {
    const poison = "poison";
    const real = embedder.embed;
    let healthy = false;
    const picky = {
      ...embedder,
      embed: async (...[texts, ...rest]: Parameters<typeof real>) => {
        if (!healthy && texts.includes(poison)) throw failure("SERVER_ERROR");
        return real(texts, ...rest);
      },
    };
    await write(poison, "a", "b", "c");
    await using _worker = startPendingWorker({
      pendingMemories: backend.pendingMemories,
      embedder: picky,
      clock: { now: () => now },
      sleep: sleeper.sleep,
      random: () => 0,
      log: quiet.log,
    });
    // In a batch and alone, twice, with a success of another in between: then the cause is the text.
    for (const pauses of [1, 2, 3, 4]) {
      await sleeper.begun(pauses);
      sleeper.wake();
    }
    await sleeper.begun(5);
    expect(await states(poison, "a", "b", "c")).toEqual(["PENDING", "READY", "READY", "READY"]);
    expect(sleeper.durations).toEqual([500, 1000, 500, 1000, 2500]);
    healthy = true;
    now += 2500;
    sleeper.wake();
    await drained();
    expect(await states(poison)).toEqual(["READY"]);
  });

  it.each([
    [9, "PENDING", undefined],
    [10, "REFUSED", "malformed"],
  ])(
    "handles a text that was postponed %d times and fails again while others succeed: %s",
    async (times, state, refusal) => {
      const real = embedder.embed;
      const picky = {
        ...embedder,
        embed: async (...[texts, ...rest]: Parameters<typeof real>) => {
          if (texts.includes("poison")) throw failure("MALFORMED");
          return real(texts, ...rest);
        },
      };
      await write("poison", "a");
      const [poison] = await backend.pendingMemories.pending({ limit: 1, maxBytes: 1e9, skip: 0, now });
      if (poison === undefined) throw new Error("nothing is pending");
      for (let time = 0; time < times; time += 1) {
        await backend.pendingMemories.postpone([{ ...poison, dueTime: now }]);
      }
      await using _worker = startPendingWorker({
        pendingMemories: backend.pendingMemories,
        embedder: picky,
        clock: { now: () => now },
        sleep: sleeper.sleep,
        random: () => 0,
        log: quiet.log,
      });
      // In a batch and alone; then the other succeeds.
      for (const pauses of [1, 2]) {
        await sleeper.begun(pauses);
        sleeper.wake();
      }
      if (state === "PENDING") await sleeper.begun(3);
      else await drained();
      expect(await states("poison", "a")).toEqual([state, "READY"]);
      const [memory] = await backend.memories.reader.get(SCOPE, ["poison"], now);
      expect(memory?.embedding.refusal).toBe(refusal);
    },
  );

  it("marks only the refused text as refused, and retries it at the next start", async () => {
    const real = embedder.embed;
    const picky = {
      ...embedder,
      embed: async (...[texts, ...rest]: Parameters<typeof real>) => {
        if (texts.includes("unspeakable")) throw failure("INPUT_REFUSED");
        return real(texts, ...rest);
      },
    };
    await write("a", "unspeakable", "b");
    const run = () =>
      startPendingWorker({
        pendingMemories: backend.pendingMemories,
        embedder: picky,
        clock: { now: () => now },
        sleep: sleeper.sleep,
        random: () => 0,
        log: quiet.log,
      });
    {
      await using _worker = run();
      await drained();
      expect(await states("a", "unspeakable", "b")).toEqual(["READY", "REFUSED", "READY"]);
    }
    // The provider may have been configured differently since.
    await using _worker = start();
    await until(() => embedder.calls.some(({ texts }) => texts.includes("unspeakable")));
    for (let tick = 0; tick < 100 && (await states("unspeakable"))[0] !== "READY"; tick += 1) {
      await new Promise((resolve) => setImmediate(resolve));
    }
    expect(await states("unspeakable")).toEqual(["READY"]);
  });

  it("does not overwrite a memory that was updated while its text was being embedded", async () => {
    embedder.next("hang");
    const [created] = await write("a");
    await using _worker = start();
    await until(() => embedder.calls.length === 1);
    const etag = created?.kind === "created" ? created.memory.etag : "";
    await backend.memories.writer.replace(SCOPE, etag, newMemory({ id: "a", text: "corrected" }), { now });
    embedder.calls[0]?.release();
    await drained();
    expect(await backend.memories.search.vectors(SCOPE, ["a"])).toEqual([vectorOfText("corrected").vector]);
  });

  it("stops at once and leaves nothing open, during a request, a pause or idle time", async () => {
    await expectNoLeaks(async () => {
      {
        await using _idle = start();
        await until(() => false);
      }
      embedder.always("hang");
      await write("a");
      {
        await using _asking = start();
        await until(() => embedder.calls.length === 1);
      }
      embedder.always("SERVER_ERROR");
      await using _pausing = start();
      await sleeper.begun(1);
    });
    expect(await states("a")).toEqual(["PENDING"]);
  });

  it("resumes after failures of the store", async () => {
    const { pendingMemories } = backend;
    let broken = true;
    await write("a");
    await using _worker = startPendingWorker({
      pendingMemories: {
        pending: async (options) => {
          if (broken) throw new Error("the store does not answer");
          return pendingMemories.pending(options);
        },
        settle: (...given) => pendingMemories.settle(...given),
        postpone: (...given) => pendingMemories.postpone(...given),
        retryRefused: () => pendingMemories.retryRefused(),
        state: () => pendingMemories.state(),
        onAdded: (listener) => pendingMemories.onAdded(listener),
      },
      embedder,
      clock: { now: () => now },
      sleep: sleeper.sleep,
      random: () => 0,
      log: quiet.log,
    });
    await sleeper.begun(1);
    broken = false;
    sleeper.wake();
    await drained();
  });
});
