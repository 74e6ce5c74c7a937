/** A memory that one or both arms of a search came up with, and what the ranking needs of it. */
export interface Candidate {
  readonly id: string;
  /** Cosine similarity to the query, when the vector arm found it. */
  readonly similarity?: number;
  /** BM25 score, when the keyword arm found it. */
  readonly bm25?: number;
  readonly matchedTerms?: readonly string[];
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
 * Weight of the vector arm in HYBRID. 0.4 was best on turns of long conversations (LoCoMo) and carried over to
 * others; reciprocal rank fusion with k = 60 did worse there than keywords alone.
 */
export const HYBRID_VECTOR_WEIGHT = 0.4;

/** The most that one boost may raise a score by: a match never passes one that is 1.2 (with both, 1.44) times as strong. */
export const MAX_BOOST = 0.2;

const RECENCY_HALF_LIFE_MS = 30 * 24 * 3600 * 1000;

/**
 * Orders candidates: the scores of each arm are scaled to 0..1 over its candidates, combined
 * (w * vector + (1 - w) * keyword), and raised by bounded factors for recency and importance.
 * Equal scores are ordered by time, newest first, then by id, so that the order is total.
 */
export function rank(candidates: readonly Candidate[], options: RankingOptions): Ranked[] {
  const weight = options.mode === "HYBRID" ? HYBRID_VECTOR_WEIGHT : options.mode === "VECTOR" ? 1 : 0;
  const vector = scale(candidates, (candidate) => candidate.similarity);
  const keyword = scale(candidates, (candidate) => candidate.bm25);
  return candidates
    .map((candidate): Ranked => {
      const byVector = vector.get(candidate) ?? ABSENT;
      const byKeyword = keyword.get(candidate) ?? ABSENT;
      const fusedScore = weight * byVector.share + (1 - weight) * byKeyword.share;
      const recencyBoost = 1 + MAX_BOOST * options.recencyWeight * recency(candidate.time, options.now);
      const importanceBoost = 1 + MAX_BOOST * options.importanceWeight * candidate.importance;
      return {
        candidate,
        score: fusedScore * recencyBoost * importanceBoost,
        vectorRank: byVector.rank,
        vectorScore: byVector.share,
        keywordRank: byKeyword.rank,
        keywordScore: byKeyword.share,
        vectorWeight: weight,
        fusedScore,
        recencyBoost,
        importanceBoost,
      };
    })
    .sort(byScore);
}

interface Share {
  readonly rank: number;
  readonly share: number;
}

const ABSENT: Share = { rank: 0, share: 0 };

/**
 * Scales one arm: its best candidate gets 1, one at its floor gets FLOOR_SHARE. The floor is not 0, because
 * being found last is still more than not being found.
 */
const FLOOR_SHARE = 0.05;

function scale(
  candidates: readonly Candidate[],
  scoreOf: (candidate: Candidate) => number | undefined,
): Map<Candidate, Share> {
  const found = candidates
    .flatMap((candidate) => {
      const score = scoreOf(candidate);
      return score === undefined ? [] : [{ candidate, score }];
    })
    .sort((a, b) => b.score - a.score || compareIds(a.candidate, b.candidate));
  const best = found[0]?.score ?? 0;
  const worst = found.at(-1)?.score ?? 0;
  const shares = new Map<Candidate, Share>();
  for (const [index, { candidate, score }] of found.entries()) {
    const part = best > worst ? (score - worst) / (best - worst) : 1;
    shares.set(candidate, { rank: index + 1, share: FLOOR_SHARE + (1 - FLOOR_SHARE) * part });
  }
  return shares;
}

/** 1 now, 1/2 after one half-life, towards 0; times in the future count as now. */
function recency(time: number, now: number): number {
  return 2 ** (-Math.max(0, now - time) / RECENCY_HALF_LIFE_MS);
}

function byScore(a: Ranked, b: Ranked): number {
  return b.score - a.score || b.candidate.time - a.candidate.time || compareIds(a.candidate, b.candidate);
}

function compareIds(a: Candidate, b: Candidate): number {
  return a.id < b.id ? -1 : a.id > b.id ? 1 : 0;
}
