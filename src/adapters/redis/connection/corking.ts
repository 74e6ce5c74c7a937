import type { Duplex } from "node:stream";
import type { Redis } from "ioredis";

/** The current tick of the event loop, from the first write in it on; undefined: there was none. */
let tick: { readonly listeners: (() => void)[]; readonly corked: Map<Duplex, number> } | undefined;

/**
 * Milliseconds after which the next command flushes what is corked, though the tick goes on. A tick in which the
 * answers of several searches are read takes ten and more, and Redis had nothing to do meanwhile (measured: a fifth to
 * a third more searches a second, as many lookups).
 */
const LONG_MS = 1;

/**
 * To be called before a command is sent: the commands of one tick of the event loop leave in one write, unless it takes
 * long, for a write to the network takes longer than all else that is done for a small command. No command waits for an
 * answer, so a single one loses nothing (ioredis' own auto-pipelining sends the next batch when the last one is
 * answered).
 */
export function corkWrites({ stream }: Redis): void {
  // There is none before the first connection.
  if (stream === undefined) return;
  const { corked } = currentTick();
  const since = corked.get(stream);
  const now = performance.now();
  if (since !== undefined && now - since < LONG_MS) return;
  if (since !== undefined) stream.uncork();
  stream.cork();
  corked.set(stream, now);
}

/**
 * Calls `listener` at the end of the tick, before its writes are flushed; the commands that it sends are flushed with
 * them.
 */
export function beforeFlush(listener: () => void): void {
  currentTick().listeners.push(listener);
}

function currentTick(): NonNullable<typeof tick> {
  if (tick === undefined) {
    tick = { listeners: [], corked: new Map() };
    setImmediate(flush);
  }
  return tick;
}

function flush(): void {
  const { listeners, corked } = currentTick();
  // All of it is flushed in a moment.
  for (const stream of corked.keys()) corked.set(stream, Number.POSITIVE_INFINITY);
  try {
    for (const listener of listeners) listener();
  } finally {
    tick = undefined;
    for (const stream of corked.keys()) stream.uncork();
  }
}
