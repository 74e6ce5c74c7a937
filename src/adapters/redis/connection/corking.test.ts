import { Writable } from "node:stream";
import { setImmediate as nextTick } from "node:timers/promises";
import type { Redis } from "ioredis";
import { afterEach, beforeEach, expect, it, type MockInstance, vi } from "vitest";
import { beforeFlush, corkWrites } from "./corking.ts";

let now: MockInstance<() => number>;
beforeEach(() => {
  now = vi.spyOn(performance, "now").mockReturnValue(1000);
});
afterEach(() => now.mockRestore());

/** A stream, and each write to it. */
function opened() {
  const writes: string[][] = [];
  const stream = new Writable({
    decodeStrings: false,
    writev: (chunks, done) => {
      writes.push(chunks.map(({ chunk }) => String(chunk)));
      done();
    },
  });
  const send = (command: string): void => {
    corkWrites({ stream } as unknown as Redis);
    stream.write(command);
  };
  return { writes, send };
}

it("sends the commands of one tick in one write, and those of the next tick in another", async () => {
  const { writes, send } = opened();
  send("a");
  await Promise.resolve();
  send("b");
  expect(writes).toEqual([]);
  await nextTick();
  expect(writes).toEqual([["a", "b"]]);
  send("c");
  await nextTick();
  expect(writes).toEqual([["a", "b"], ["c"]]);
});

it("flushes what is sent before the flush with the commands of the tick", async () => {
  const { writes, send } = opened();
  beforeFlush(() => send("last"));
  send("first");
  await nextTick();
  expect(writes).toEqual([["first", "last"]]);
  beforeFlush(() => send("only"));
  await nextTick();
  expect(writes).toEqual([["first", "last"], ["only"]]);
});

it("flushes before the end of a tick that takes long", async () => {
  const { writes, send } = opened();
  send("a");
  now.mockReturnValue(1000.9);
  send("b");
  expect(writes).toEqual([]);
  now.mockReturnValue(1001);
  send("c");
  expect(writes).toEqual([["a", "b"]]);
  await nextTick();
  expect(writes).toEqual([["a", "b"], ["c"]]);
});

it("sends the remaining commands of a long tick in one write", async () => {
  const { writes, send } = opened();
  send("first");
  beforeFlush(() => send("last"));
  now.mockReturnValue(1010);
  await nextTick();
  expect(writes).toEqual([["first", "last"]]);
});
