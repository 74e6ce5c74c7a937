import type { Duplex } from "node:stream";
import type { Redis } from "ioredis";

/** What waits for the end of the turn of the event loop that is under way; undefined: nothing does. */
let turn: { readonly works: (() => void)[]; readonly gathered: Map<Duplex, number> } | undefined;

/**
 * Milliseconds after which the next command sees to it that what was gathered leaves, though the turn goes on. One in which
 * the answers of several searches are read takes ten and more, and Redis had nothing to do meanwhile (measured: a fifth to
 * a third more searches a second, as many lookups).
 */
const LONG_MS = 1;

/**
 * Called before a command is sent: what is sent in one turn of the event loop leaves in one write, unless it takes
 * long, for a write to the network takes longer than all else that is done for a small command. Nothing waits for an
 * answer, so a command that is alone loses nothing (ioredis' own auto-pipelining sends the next batch when the last one
 * is answered).
 */
export function gatherWrites({ stream }: Redis): void {
  // There is none before the first connection.
  if (stream === undefined) return;
  const { gathered } = thisTurn();
  const since = gathered.get(stream);
  const now = performance.now();
  if (since !== undefined && now - since < LONG_MS) return;
  if (since !== undefined) stream.uncork();
  stream.cork();
  gathered.set(stream, now);
}

/** Calls `work` when the turn is over; what it sends leaves with what has not left by then. */
export function atEndOfTurn(work: () => void): void {
  thisTurn().works.push(work);
}

function thisTurn(): NonNullable<typeof turn> {
  if (turn === undefined) {
    turn = { works: [], gathered: new Map() };
    setImmediate(endTurn);
  }
  return turn;
}

function endTurn(): void {
  const { works, gathered } = thisTurn();
  // All of it leaves in a moment.
  for (const stream of gathered.keys()) gathered.set(stream, Number.POSITIVE_INFINITY);
  try {
    for (const work of works) work();
  } finally {
    turn = undefined;
    for (const stream of gathered.keys()) stream.uncork();
  }
}
