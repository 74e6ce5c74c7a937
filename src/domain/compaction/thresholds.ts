import { HASHING_MODEL, LOCAL_MODEL } from "../embedding/built-in-models.ts";

/** Least cosine similarities, by what is done with a pair that the guard accepts. */
export interface DuplicateThresholds {
  /** The same words in the same order but for spelling and inflection. */
  readonly certain: number;
  /** Texts that say the same in other words, or of which one contains the other. */
  readonly merge: number;
  /** A newer value of the same subject. */
  readonly supersede: number;
  /** Memories of one topic, for a summary. */
  readonly topic: number;
}

const MINILM: DuplicateThresholds = { certain: 0.7, merge: 0.65, supersede: 0.5, topic: 0.5 };

/**
 * By model: a cosine similarity means something else for each. No similarity tells duplicates from look-alikes, so these
 * only drop pairs of other topics, and the guard decides. all-MiniLM-L6-v2 and minilm-static were measured with `make
 * bench-compaction`. The models of OpenAI were not: their pairs of equal meaning lie at 0.75 to 0.95
 * (text-embedding-3-small and -large), and ada-002 gives unrelated texts 0.7; so they get stricter values.
 */
const BY_MODEL: Readonly<Record<string, DuplicateThresholds>> = {
  "all-minilm-l6-v2": MINILM,
  "all-minilm": MINILM,
  [LOCAL_MODEL.model]: MINILM,
  [HASHING_MODEL.model]: { certain: 0.9, merge: 0.85, supersede: 0.75, topic: 0.6 },
  "text-embedding-3-small": { certain: 0.85, merge: 0.8, supersede: 0.7, topic: 0.5 },
  "text-embedding-3-large": { certain: 0.85, merge: 0.8, supersede: 0.7, topic: 0.5 },
  "text-embedding-ada-002": { certain: 0.96, merge: 0.94, supersede: 0.92, topic: 0.85 },
};

/** Undefined for an unknown model: it merges equal texts only. A name may have a path before it. */
export function duplicateThresholds(
  identity: { readonly model: string } | undefined,
): DuplicateThresholds | undefined {
  const name = identity?.model.toLowerCase().split("/").at(-1) ?? "";
  return Object.hasOwn(BY_MODEL, name) ? BY_MODEL[name] : undefined;
}

/** From so many memories on a namespace's own distribution counts. */
export const MIN_DISTRIBUTION = 1000;

/** The similarity of a normal distribution is so many median deviations of its standard deviation. */
const NORMAL = 1.4826;
/** Of the way from a threshold to 1, at most so much is added. */
const MAX_RAISE = 0.6;

/**
 * The thresholds for a namespace whose memories are more alike than usual. `nearest` has the similarity of each sampled memory
 * to its nearest one. A threshold is raised to the median plus `deviations` (2) robust standard deviations, so that what is
 * usual among these memories is no evidence; never lowered, and raised by at most 60 % of the way to 1. Fewer than
 * {@link MIN_DISTRIBUTION} similarities change nothing.
 */
export function refineThresholds(
  thresholds: DuplicateThresholds,
  nearest: readonly number[],
  deviations = 2,
): DuplicateThresholds {
  if (nearest.length < MIN_DISTRIBUTION) return thresholds;
  const middle = median(nearest);
  const spread = NORMAL * median(nearest.map((similarity) => Math.abs(similarity - middle)));
  const usual = middle + deviations * spread;
  const raise = (threshold: number): number =>
    Math.max(threshold, Math.min(usual, threshold + MAX_RAISE * (1 - threshold)));
  const { certain, merge, supersede, topic } = thresholds;
  return { certain: raise(certain), merge: raise(merge), supersede: raise(supersede), topic };
}

function median(values: readonly number[]): number {
  const sorted = Float64Array.from(values).sort();
  return sorted[Math.floor(sorted.length / 2)] ?? 0;
}
