import type { DocumentTerms } from "./bm25.ts";

/** A memory that one or both retrievers of a search came up with, and what the ranking needs of it. */
export interface Candidate {
  readonly id: string;
  /** Cosine similarity to the query, when the vector retriever found it. */
  readonly similarity?: number | undefined;
  /** BM25 score, when the keyword retriever found it. */
  readonly bm25?: number | undefined;
  /** How often the terms of the query stand in it, when the keyword retriever found it. */
  readonly document?: DocumentTerms | undefined;
  /** When it happened or, failing that, was stored; milliseconds. */
  readonly time: number;
  readonly importance: number;
}

export interface RankingOptions {
  readonly mode: "HYBRID" | "VECTOR" | "KEYWORD";
  /** 0..1, the share of MAX_BOOST that the newest memory gains. */
  readonly recencyWeight: number;
  /** 0..1, the share of MAX_BOOST that importance 1 gains. */
  readonly importanceWeight: number;
  readonly now: number;
}

export interface Ranked {
  readonly candidate: Candidate;
  readonly score: number;
  readonly vectorRank: number;
  readonly vectorScore: number;
  readonly keywordRank: number;
  readonly keywordScore: number;
  readonly vectorWeight: number;
  readonly fusedScore: number;
  readonly recencyBoost: number;
  readonly importanceBoost: number;
}

/**
 * Weight of the vector retriever in HYBRID. 0.4 was best on turns of long conversations (LoCoMo) and carried over to
 * others; reciprocal rank fusion with k = 60 did worse there than keywords alone.
 */
export const HYBRID_VECTOR_WEIGHT = 0.4;

/** The most that one boost may raise a score by: a match never passes one that is 1.2 (with both, 1.44) times as strong. */
export const MAX_BOOST = 0.2;

const RECENCY_HALF_LIFE_MS = 30 * 24 * 3600 * 1000;

/**
 * Orders candidates, and answers the first `limit` of them: the scores of each retriever are scaled to 0..1 over its candidates,
 * combined (w * vector + (1 - w) * keyword), and raised by bounded factors for recency and importance.
 * Equal scores are ordered by time, newest first, then by id, so that the order is total.
 */
export function rank(
  candidates: readonly Candidate[],
  options: RankingOptions,
  limit = candidates.length,
): Ranked[] {
  const weight = options.mode === "HYBRID" ? HYBRID_VECTOR_WEIGHT : options.mode === "VECTOR" ? 1 : 0;
  const byVector = scale(candidates, ({ similarity }) => similarity);
  const byKeyword = scale(candidates, (candidate) => candidate.bm25);
  const scored = candidates.map((candidate, at) => {
    const fusedScore = weight * shareAt(byVector, at) + (1 - weight) * shareAt(byKeyword, at);
    const score = fusedScore * recencyBoost(candidate, options) * importanceBoost(candidate, options);
    return { candidate, at, fusedScore, score };
  });
  return scored
    .sort(byScore)
    .slice(0, limit)
    .map(({ candidate, at, fusedScore, score }) => ({
      candidate,
      score,
      vectorRank: byVector.ranks[at] ?? 0,
      vectorScore: shareAt(byVector, at),
      keywordRank: byKeyword.ranks[at] ?? 0,
      keywordScore: shareAt(byKeyword, at),
      vectorWeight: weight,
      fusedScore,
      recencyBoost: recencyBoost(candidate, options),
      importanceBoost: importanceBoost(candidate, options),
    }));
}

/** What a retriever says of each candidate, by its place; 0 of those that it did not find. */
interface Scale {
  readonly ranks: readonly number[];
  readonly shares: readonly number[];
}

function shareAt({ shares }: Scale, at: number): number {
  return shares[at] ?? 0;
}

/**
 * Scales one retriever: its best candidate gets 1, one at its floor gets FLOOR_SHARE. The floor is not 0, because
 * being found last is still more than not being found.
 */
const FLOOR_SHARE = 0.05;

function scale(
  candidates: readonly Candidate[],
  scoreOf: (candidate: Candidate) => number | undefined,
): Scale {
  const found: { readonly candidate: Candidate; readonly at: number; readonly score: number }[] = [];
  for (const [at, candidate] of candidates.entries()) {
    const score = scoreOf(candidate);
    if (score !== undefined) found.push({ candidate, at, score });
  }
  found.sort((a, b) => b.score - a.score || compareIds(a.candidate, b.candidate));
  const best = found[0]?.score ?? 0;
  const worst = found.at(-1)?.score ?? 0;
  const ranks = candidates.map(() => 0);
  const shares = candidates.map(() => 0);
  for (const [index, { at, score }] of found.entries()) {
    const part = best > worst ? (score - worst) / (best - worst) : 1;
    ranks[at] = index + 1;
    shares[at] = FLOOR_SHARE + (1 - FLOOR_SHARE) * part;
  }
  return { ranks, shares };
}

function recencyBoost({ time }: Candidate, { recencyWeight, now }: RankingOptions): number {
  return recencyWeight === 0 ? 1 : 1 + MAX_BOOST * recencyWeight * recency(time, now);
}

function importanceBoost({ importance }: Candidate, { importanceWeight }: RankingOptions): number {
  return 1 + MAX_BOOST * importanceWeight * importance;
}

/** 1 now, 1/2 after one half-life, towards 0; times in the future count as now. */
function recency(time: number, now: number): number {
  return 2 ** (-Math.max(0, now - time) / RECENCY_HALF_LIFE_MS);
}

type Scored = Pick<Ranked, "candidate" | "score">;

function byScore(a: Scored, b: Scored): number {
  return b.score - a.score || b.candidate.time - a.candidate.time || compareIds(a.candidate, b.candidate);
}

function compareIds(a: Candidate, b: Candidate): number {
  return a.id < b.id ? -1 : a.id > b.id ? 1 : 0;
}
