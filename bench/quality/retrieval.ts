/** Means over questions, 0 to 1. */
export interface RetrievalFigures {
  /** Recall at 10 and at 20. */
  readonly recall10: number;
  readonly recall20: number;
  /** nDCG at 10. */
  readonly ndcg10: number;
  /** Reciprocal rank of the first relevant result. */
  readonly reciprocalRank: number;
}

/** The results, best first, and the relevant ids. */
export interface Ranking {
  readonly found: readonly string[];
  readonly right: ReadonlySet<string>;
}

export function retrievalFigures(rankings: readonly Ranking[]): RetrievalFigures {
  const mean = (of: (ranking: Ranking) => number): number =>
    rankings.reduce((sum, ranking) => sum + of(ranking), 0) / rankings.length;
  return {
    recall10: mean((ranking) => recall(ranking, 10)),
    recall20: mean((ranking) => recall(ranking, 20)),
    ndcg10: mean((ranking) => ndcg(ranking, 10)),
    reciprocalRank: mean(reciprocalRank),
  };
}

function recall({ found, right }: Ranking, depth: number): number {
  return found.slice(0, depth).filter((id) => right.has(id)).length / right.size;
}

function ndcg({ found, right }: Ranking, depth: number): number {
  const gain = (place: number): number => 1 / Math.log2(place + 2);
  const gained = found.slice(0, depth).reduce((sum, id, place) => sum + (right.has(id) ? gain(place) : 0), 0);
  let best = 0;
  for (let place = 0; place < Math.min(depth, right.size); place += 1) best += gain(place);
  return gained / best;
}

function reciprocalRank({ found, right }: Ranking): number {
  const place = found.findIndex((id) => right.has(id));
  return place === -1 ? 0 : 1 / (place + 1);
}

/** Formats in hundredths, with one decimal place. */
export function percent(share: number): string {
  return (100 * share).toFixed(1);
}
