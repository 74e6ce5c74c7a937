import type { NearestIntent } from "./nearest-intent.ts";

export interface ThresholdFigures {
  readonly threshold: number;
  /** Share of the questions whose nearest training text reaches the threshold, 0 to 1. */
  readonly served: number;
  /** Share of these with another intent. */
  readonly wrong: number;
}

/** Hits of a cache without a guard, by threshold: 0.5 to 0.95 in steps of 0.05, around 0.85 in steps of 0.01. */
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
