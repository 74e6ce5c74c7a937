/**
 * How much the guard refuses. `off`: nothing. `closed`: what a closed class of words or a notation shows: numbers, units,
 * dates, negation, opposites, names, code, quantifiers, modality, direction, roles, questions, and what no rule can read.
 * `balanced`: also an unknown word in place of another, and a word that restricts one prompt alone. `strict`: every doubt.
 */
export type GuardStrictness = "strict" | "balanced" | "closed" | "off";

/** A strictness that refuses anything. */
export type RefusingStrictness = Exclude<GuardStrictness, "off">;

/** From the loosest to the strictest. */
export const GUARD_STRICTNESS: readonly GuardStrictness[] = ["off", "closed", "balanced", "strict"];

export const DEFAULT_STRICTNESS: GuardStrictness = "balanced";

/** Negative when `one` is looser than `other`, positive when it is stricter, 0 when they are equal. */
export function compareStrictness(one: GuardStrictness, other: GuardStrictness): number {
  return GUARD_STRICTNESS.indexOf(one) - GUARD_STRICTNESS.indexOf(other);
}

/** Whether `strictness` refuses what is refused from `from` on. */
export function refusesFrom(from: RefusingStrictness, strictness: GuardStrictness): boolean {
  return compareStrictness(from, strictness) <= 0;
}
