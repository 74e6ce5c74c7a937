import { Writable } from "node:stream";
import { setImmediate as turnOver } from "node:timers/promises";
import type { Redis } from "ioredis";
import { afterEach, beforeEach, expect, it, type MockInstance, vi } from "vitest";
import { atEndOfTurn, gatherWrites } from "./corking.ts";

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
    gatherWrites({ stream } as unknown as Redis);
    stream.write(command);
  };
  return { writes, send };
}

it("lets what is sent in one turn leave in one write, and the next turn begin anew", async () => {
  const { writes, send } = opened();
  send("a");
  await Promise.resolve();
  send("b");
  expect(writes).toEqual([]);
  await turnOver();
  expect(writes).toEqual([["a", "b"]]);
  send("c");
  await turnOver();
  expect(writes).toEqual([["a", "b"], ["c"]]);
});

it("lets what is sent at the end of a turn leave with what was sent in it", async () => {
  const { writes, send } = opened();
  atEndOfTurn(() => send("last"));
  send("first");
  await turnOver();
  expect(writes).toEqual([["first", "last"]]);
  atEndOfTurn(() => send("only"));
  await turnOver();
  expect(writes).toEqual([["first", "last"], ["only"]]);
});

it("lets what was sent leave before a turn that takes long is over", async () => {
  const { writes, send } = opened();
  send("a");
  now.mockReturnValue(1000.9);
  send("b");
  expect(writes).toEqual([]);
  now.mockReturnValue(1001);
  send("c");
  expect(writes).toEqual([["a", "b"]]);
  await turnOver();
  expect(writes).toEqual([["a", "b"], ["c"]]);
});

it("makes one write of what is left when a long turn is over", async () => {
  const { writes, send } = opened();
  send("first");
  atEndOfTurn(() => send("last"));
  now.mockReturnValue(1010);
  await turnOver();
  expect(writes).toEqual([["first", "last"]]);
});
