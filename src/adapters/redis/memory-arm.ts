import { isExpired } from "../../domain/memory/memory.ts";
import { clampSimilarity } from "../../domain/vector.ts";
import type { Candidates } from "../../ports/memory-store.ts";
import { type MemoryFacts, unpackFacts } from "./memory-facts.ts";
import type { Fields } from "./memory-index.ts";
import { termCounter } from "./memory-terms.ts";
import { asciiOf, numberOf } from "./replies.ts";

export type Nearest = Candidates["nearest"][number];
export type Containing = Candidates["containing"][number];

/** What there is to say of a memory that has not ended; undefined: it is no candidate. */
type ReadCandidate<T> = (id: string, facts: MemoryFacts, fields: Fields) => T | undefined;

/** What one arm of a search finds: each memory that the index answers with is read at once, and only that is kept. */
export class Arm<T> {
  readonly candidates: T[] = [];
  /** Memories that the index answered with. */
  found = 0;
  /** Those of them that have ended. */
  ended = 0;
  /** Those of them that it said nothing of, with what it did say. */
  readonly bare = new Map<string, Fields>();
  readonly #now: number;
  readonly #read: ReadCandidate<T>;

  constructor(now: number, read: ReadCandidate<T>) {
    this.#now = now;
    this.#read = read;
  }

  add(id: string, fields: Fields): void {
    this.found += 1;
    const packed = fields.get("facts");
    if (packed === undefined) {
      this.bare.set(id, fields);
      return;
    }
    const facts = unpackFacts(packed);
    const { expireTime } = facts;
    if (expireTime !== undefined && isExpired({ expireTime }, this.#now)) {
      this.ended += 1;
      return;
    }
    const candidate = this.#read(id, facts, fields);
    if (candidate !== undefined) this.candidates.push(candidate);
  }
}

/** Reads `facts` and `distance`. */
export function nearestArm(now: number): Arm<Nearest> {
  return new Arm(now, (id, { time, importance }, fields) => ({
    id,
    time,
    importance,
    similarity: clampSimilarity(1 - numberOf(fields.get("distance"))),
  }));
}

/** Reads `facts` and `terms`; a candidate holds one of the chosen ones. */
export function containingArm(
  now: number,
  terms: readonly string[],
  chosen: readonly string[],
): Arm<Containing> {
  const count = termCounter(terms);
  const isChosen = terms.map((term) => chosen.includes(term));
  return new Arm(now, (id, { time, importance }, fields) => {
    const document = count(asciiOf(fields.get("terms")) ?? "");
    const isCandidate = document.counts.some((times, at) => times > 0 && isChosen[at] === true);
    return isCandidate ? { id, time, importance, document } : undefined;
  });
}
