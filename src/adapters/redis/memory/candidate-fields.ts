import type { RankingFields } from "../../../ports/memory/search.ts";
import type { Reply } from "../connection/client.ts";
import { bytesOf } from "../connection/replies.ts";

export interface CandidateFields extends Omit<RankingFields, "id"> {
  /** Milliseconds since the epoch; undefined: it does not expire. */
  readonly expireTime: number | undefined;
}

/**
 * Decodes the ranking fields of a candidate: create time, event time, importance and expire time, separated by spaces,
 * absent ones empty, in one field that memory-library.lua writes. One field, because each field of a reply costs Redis
 * and this process more than its content, and a search reads some hundred candidates.
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
/** More digits may not be exact when they are summed. */
const MAX_DIGITS = 15;

/** The end of the part that begins at `from`. */
function endOf(packed: Buffer, from: number): number {
  let at = from;
  while (at < packed.length && packed[at] !== SPACE) at += 1;
  return at;
}

/** Undefined for an empty part. Plain digits, the usual case, are parsed without a string. */
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
