import { Writable } from "node:stream";
import { setImmediate as turnOver } from "node:timers/promises";
import type { Redis } from "ioredis";
import { expect, it } from "vitest";
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
