import type { NearestIntent } from "./nearest-intent.ts";

export interface ThresholdFigures {
  readonly threshold: number;
  /** The share of the questions whose nearest known text is as near as the threshold, 0 to 1. */
  readonly served: number;
  /** The share of those that have another intent. */
  readonly wrong: number;
}

/** What a cache without a guard would serve: from 0.5 to 0.95, in steps of 0.05, and around 0.85 of 0.01. */
export function sweepThresholds(nearest: readonly NearestIntent[]): ThresholdFigures[] {
  const thresholds = [50, 60, 70, 75, 80, 82, 84, 85, 86, 88, 90, 92, 94, 96].map(
    (hundredths) => hundredths / 100,
  );
  return thresholds.map((threshold) => {
    const hits = nearest.filter(({ similarity }) => similarity >= threshold);
    const wrong = hits.filter(({ isRight }) => !isRight).length;
    return { threshold, served: hits.length / nearest.length, wrong: wrong / Math.max(1, hits.length) };
  });
}
