import { clampSimilarity } from "../../../domain/embedding/vector.ts";
import { holdsOneOf } from "../../../domain/memory/bm25.ts";
import { isExpired } from "../../../domain/memory/memory.ts";
import type { Candidates } from "../../../ports/memory/search.ts";
import type { Reply } from "../connection/client.ts";
import { asciiOf, numberOf } from "../connection/replies.ts";
import { type MemoryFacts, unpackFacts } from "./candidate-fields.ts";
import type { Fields } from "./commands.ts";
import { termCounter } from "./terms.ts";

export type Nearest = Candidates["byVector"][number];
export type Containing = Candidates["byKeyword"][number];

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

  /** Adds one that the index said nothing of, if it is of this arm, with what Redis says of it; without facts it is gone. */
  complete(id: string, facts: Reply | undefined, terms: Reply | undefined): void {
    const said = this.bare.get(id);
    if (said === undefined) return;
    this.bare.delete(id);
    this.found -= 1;
    if (facts === undefined || facts === null) return;
    const fields = { facts, terms: terms ?? null, distance: said.get("distance") ?? null };
    this.add(id, new Map<string, Reply>(Object.entries(fields)));
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
  const isCandidate = holdsOneOf(chosen, terms);
  return new Arm(now, (id, { time, importance }, fields) => {
    const document = count(asciiOf(fields.get("terms")) ?? "");
    return isCandidate(document) ? { id, time, importance, document } : undefined;
  });
}
