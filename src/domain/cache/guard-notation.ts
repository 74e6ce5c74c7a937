import type { Notation, NotationKind } from "./notation.ts";

const REASONS = {
  code: "CODE",
  number: "NUMBER",
  unit: "UNIT",
  variant: "CODE",
} as const satisfies Record<NotationKind, string>;

/** Why two prompts differ in notation. */
export type NotationReason = (typeof REASONS)[NotationKind];

/** What stands in the notation of one prompt only. Each piece counts as often as it stands there. */
export function compareNotation(
  left: readonly Notation[],
  right: readonly Notation[],
): ReadonlySet<NotationReason> {
  const reasons = new Set<NotationReason>();
  if (left.length === 0 && right.length === 0) return reasons;
  const [one, other] = [without(left, right), without(right, left)];
  for (const piece of [...one, ...other]) if (piece.kind !== "variant") reasons.add(REASONS[piece.kind]);
  const letters = ({ kind, text }: Notation): string => (kind === "variant" ? text.toLowerCase() : "");
  const spelled = new Set(other.map(letters).filter((text) => text !== ""));
  if (one.some((piece) => spelled.has(letters(piece)))) reasons.add(REASONS.variant);
  return reasons;
}

function without(pieces: readonly Notation[], removed: readonly Notation[]): Notation[] {
  const counts = new Map<string, number>();
  for (const { kind, text } of removed) counts.set(kind + text, (counts.get(kind + text) ?? 0) + 1);
  return pieces.filter(({ kind, text }) => {
    const count = counts.get(kind + text) ?? 0;
    counts.set(kind + text, count - 1);
    return count <= 0;
  });
}
