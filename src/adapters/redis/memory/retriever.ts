import { clampSimilarity } from "../../../domain/embedding/vector.ts";
import { holdsOneOf } from "../../../domain/memory/bm25.ts";
import { isExpired } from "../../../domain/memory/memory.ts";
import type { Candidates } from "../../../ports/memory/search.ts";
import type { Reply } from "../connection/client.ts";
import { asciiOf, numberOf } from "../connection/replies.ts";
import { type CandidateFields, unpackCandidateFields } from "./candidate-fields.ts";
import type { Fields } from "./commands.ts";
import { termCounter } from "./terms.ts";

export type VectorCandidate = Candidates["byVector"][number];
export type KeywordCandidate = Candidates["byKeyword"][number];

/** Creates the candidate of an unexpired memory; undefined: it is none. */
type ReadCandidate<T> = (id: string, candidate: CandidateFields, fields: Fields) => T | undefined;

/**
 * The matches of one retriever: each memory in the reply of the index is converted to a candidate at once.
 */
export class Matches<T> {
  readonly candidates: T[] = [];
  /** Number of memories in the reply of the index. */
  found = 0;
  /** Number of expired ones among them. */
  expired = 0;
  /** Memories with missing fields in the reply, with the fields that it has. */
  readonly incomplete = new Map<string, Fields>();
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
      this.incomplete.set(id, fields);
      return;
    }
    const unpacked = unpackCandidateFields(packed);
    const { expireTime } = unpacked;
    if (expireTime !== undefined && isExpired({ expireTime }, this.#now)) {
      this.expired += 1;
      return;
    }
    const candidate = this.#read(id, unpacked, fields);
    if (candidate !== undefined) this.candidates.push(candidate);
  }

  /** Completes a match of this retriever with its stored fields; absent ones: the memory was deleted. */
  complete(id: string, facts: Reply | undefined, terms: Reply | undefined): void {
    const answered = this.incomplete.get(id);
    if (answered === undefined) return;
    this.incomplete.delete(id);
    this.found -= 1;
    if (facts === undefined || facts === null) return;
    const fields = { facts, terms: terms ?? null, distance: answered.get("distance") ?? null };
    this.add(id, new Map<string, Reply>(Object.entries(fields)));
  }
}

/** Reads `facts` and `distance`. */
export function vectorMatches(now: number): Matches<VectorCandidate> {
  return new Matches(now, (id, { time, importance }, fields) => ({
    id,
    time,
    importance,
    similarity: clampSimilarity(1 - numberOf(fields.get("distance"))),
  }));
}

/** Reads `facts` and `terms`; a candidate holds one of the chosen terms. */
export function keywordMatches(
  now: number,
  terms: readonly string[],
  chosen: readonly string[],
): Matches<KeywordCandidate> {
  const count = termCounter(terms);
  const isCandidate = holdsOneOf(chosen, terms);
  return new Matches(now, (id, { time, importance }, fields) => {
    const document = count(asciiOf(fields.get("terms")) ?? "");
    return isCandidate(document) ? { id, time, importance, document } : undefined;
  });
}
