import type { RankingFields } from "../../../ports/memory/search.ts";
import type { Reply } from "../connection/client.ts";
import { bytesOf } from "../connection/replies.ts";

export interface CandidateFields extends Omit<RankingFields, "id"> {
  /** Milliseconds since the epoch; undefined: it does not expire. */
  readonly expireTime: number | undefined;
}

/**
 * What a search reads of each candidate beside its text: create time, event time, importance and expire time with a
 * space between, absent ones empty, in the one field that memory-library.lua writes. Each field of an answer costs
 * Redis and this process more than what is in it, and a search reads some hundred candidates.
 */
export function unpackCandidateFields(reply: Reply | undefined): CandidateFields {
  const packed = bytesOf(reply) ?? EMPTY;
  const first = endOf(packed, 0);
  const second = endOf(packed, first + 1);
  const third = endOf(packed, second + 1);
  const time = numberIn(packed, first + 1, second) ?? numberIn(packed, 0, first) ?? 0;
  const importance = numberIn(packed, second + 1, third) ?? 0;
  return { time, importance, expireTime: numberIn(packed, third + 1, packed.length) };
}

const EMPTY = Buffer.alloc(0);
const [SPACE, ZERO, NINE] = [0x20, 0x30, 0x39];
/** More may not be exact when they are added up. */
const MAX_DIGITS = 15;

/** Where the part that begins at `from` ends. */
function endOf(packed: Buffer, from: number): number {
  let at = from;
  while (at < packed.length && packed[at] !== SPACE) at += 1;
  return at;
}

/** Undefined where nothing stands. Digits alone, which most are, make no string. */
function numberIn(packed: Buffer, from: number, to: number): number | undefined {
  if (from >= to) return undefined;
  let value = 0;
  for (let at = from; at < to; at += 1) {
    const digit = packed[at] ?? 0;
    if (digit < ZERO || digit > NINE || to - from > MAX_DIGITS) {
      return Number(packed.toString("latin1", from, to));
    }
    value = 10 * value + (digit - ZERO);
  }
  return value;
}
