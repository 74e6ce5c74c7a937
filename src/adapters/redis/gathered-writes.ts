import type { Redis } from "ioredis";

/** Streams whose writes are held back until this turn of the event loop is over. */
const held = new WeakSet<object>();

/**
 * Called before a command is sent: what is sent in one turn of the event loop leaves in one write, for a write to the
 * network takes longer than all else that is done for a small command. Nothing waits for an answer, so a command that is
 * alone loses nothing (ioredis' own auto-pipelining sends the next batch when the last one is answered).
 */
export function gatherWrites({ stream }: Redis): void {
  // There is none before the first connection.
  if (stream === undefined || held.has(stream)) return;
  held.add(stream);
  stream.cork();
  setImmediate(() => {
    held.delete(stream);
    stream.uncork();
  });
}
