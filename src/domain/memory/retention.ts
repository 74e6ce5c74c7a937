import type { AccessStatistics, Memory } from "./memory.ts";

/** The decay of ACT-R's base-level activation. */
const DECAY = 0.5;

/** A memory of importance 0.5 that was never accessed has the score 0.5 at this age. */
const HALF_SCORE_AGE_MS = 30 * 24 * 3600 * 1000;

/** Importance 1 multiplies the activation by this, importance 0 divides by it; by its square in terms of age. */
const IMPORTANCE_FACTOR = 4;

export type Retained = Pick<Memory, "createTime" | "importance" | "pinned"> & {
  readonly access?: AccessStatistics;
};

/**
 * How much a memory is worth keeping, 0..1. Its activation is that of ACT-R (base-level learning: J. R. Anderson and
 * L. J. Schooler, Reflections of the environment in memory, Psychological Science 2, 1991), the sum over its uses of
 * (time since the use) ^ -0.5: a use is its creation or an access. Only count, first and last use are known; the uses between
 * them count as spread evenly over that time, as in A. A. Petrov, Computationally efficient approximation of the base-level
 * learning equation in ACT-R (ICCM 2006). With up to one access this is exact.
 *
 * The activation A, scaled so that A = 1 for one use 30 days ago and multiplied by 4 ^ (2 * importance - 1), gives the score
 * A / (1 + A): ACT-R's probability of retrieval, a logistic function of ln A, with noise 1. It is strictly lower for an
 * older memory and for an older access, and strictly higher for one more access and for a greater importance (as far as a
 * double shows it). A pinned memory has the score 1.
 */
export function retentionScore(memory: Retained, now: number): number {
  if (memory.pinned) return 1;
  const { createTime, importance, access } = memory;
  const activation =
    (activationOf(secondsSince(createTime, now), access, now) / ageFactor(HALF_SCORE_AGE_MS / 1000)) *
    IMPORTANCE_FACTOR ** (2 * importance - 1);
  return activation / (1 + activation);
}

function activationOf(age: number, access: AccessStatistics | undefined, now: number): number {
  if (access === undefined || access.accessCount < 1) return ageFactor(age);
  // The clocks of several servers may differ.
  const last = Math.min(age, secondsSince(access.lastAccessTime, now));
  // The mean of t ^ -0.5 for t from `last` to `age`: 2 * (sqrt(age) - sqrt(last)) / (age - last).
  const between = 2 / (Math.sqrt(age) + Math.sqrt(last));
  return ageFactor(age) + ageFactor(last) + (access.accessCount - 1) * between;
}

/** From 1 on, so that what happens now has a finite activation; times in the future count as now. */
function secondsSince(time: number, now: number): number {
  return 1 + Math.max(0, now - time) / 1000;
}

function ageFactor(seconds: number): number {
  return seconds ** -DECAY;
}
