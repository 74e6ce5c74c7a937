import type { Notation, NotationKind } from "./notation.ts";
import type { Writing } from "./notation-writing.ts";

const REASONS = {
  code: "CODE",
  number: "NUMBER",
  unit: "UNIT",
  variant: "CODE",
  mood: "CODE",
  language: "CODE",
} as const satisfies Record<NotationKind, string>;

/** Why two prompts differ in notation. */
export type NotationReason = (typeof REASONS)[NotationKind];

/** The pieces of notation of one prompt only, as a multiset difference. */
export function compareNotation(
  left: readonly Notation[],
  right: readonly Notation[],
): ReadonlySet<NotationReason> {
  const reasons = new Set<NotationReason>();
  if (left.length === 0 && right.length === 0) return reasons;
  const [one, other] = [without(left, right), without(right, left)];
  const counterparts = new Set(other.map(counterpart));
  for (const piece of [...one, ...other]) if (counterpart(piece) === "") reasons.add(REASONS[piece.kind]);
  for (const piece of one) {
    const key = counterpart(piece);
    if (key !== "" && counterparts.has(key)) reasons.add(REASONS[piece.kind]);
  }
  return reasons;
}

/** The group within which a piece is compared; empty for a piece that is compared on its own. */
function counterpart({ kind, text }: Notation): string {
  if (kind === "mood" || kind === "language") return kind;
  // "set up" and "setup" in quotes are two texts as well.
  // "boys'" and "boy's" as well.
  return kind === "variant" ? `variant ${text.toLowerCase().replace(/[\s']+/g, "")}` : "";
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

/** Whether two prompts of the same letters and digits have different signs. */
export function differInWriting(left: Writing, right: Writing): boolean {
  return left.letters === right.letters && left.marks !== right.marks;
}
