import { Writable } from "node:stream";
import { setImmediate as turnOver } from "node:timers/promises";
import type { Redis } from "ioredis";
import { expect, it, vi } from "vitest";
import { atEndOfTurn, gatherWrites } from "./gathered-writes.ts";

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
  const now = vi.spyOn(performance, "now").mockReturnValue(1000);
  try {
    send("a");
    now.mockReturnValue(1000.9);
    send("b");
    expect(writes).toEqual([]);
    now.mockReturnValue(1001);
    send("c");
    expect(writes).toEqual([["a", "b"]]);
  } finally {
    now.mockRestore();
  }
  await turnOver();
  expect(writes).toEqual([["a", "b"], ["c"]]);
});
