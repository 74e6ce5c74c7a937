import type { PromptItem } from "../cache/analysis.ts";
import { SENTENCE_SLOTS } from "../cache/analysis-order.ts";
import type { AlignedPair } from "../cache/guard-align.ts";
import type { Lexicon } from "../cache/lexicon.ts";
import type { Statement } from "./statement.ts";

interface Placed {
  readonly left: PromptItem;
  readonly right: PromptItem;
}

/** Words of a compound and of its other form, "the fee for a transfer" and "the transfer fee", are so near each other. */
const MAX_COMPOUND = 3;

/**
 * Whether aligned words have another order that may change who does what. A phrase may move with its preposition, a date
 * anywhere, and a name past its apposition ("Tim's wife Julia", "Julia, Tim's wife"); both
 * sides of a plain "is" may change places. Two words of one kind, such as two names, may not.
 */
export function isReordered(
  left: Statement,
  right: Statement,
  pairs: readonly AlignedPair[],
  lexicon: Lexicon,
): boolean {
  const placed = pairs.flatMap((pair): Placed[] => {
    const [one, other] = [left.analysis.items[pair.left], right.analysis.items[pair.right]];
    return one === undefined || other === undefined || one.kind === "pronoun"
      ? []
      : [{ left: one, right: other }];
  });
  if (placed.some((one) => isMovedAdjective(one, placed, lexicon))) return true;
  const isIdentity = isTurned(left, right);
  return placed.some((one, at) =>
    placed.slice(at + 1).some((other) => isInverted(one, other) && !mayMove(one, other, isIdentity, lexicon)),
  );
}

function isInverted(one: Placed, other: Placed): boolean {
  return (one.left.slot - other.left.slot) * (one.right.slot - other.right.slot) < 0;
}

function mayMove(one: Placed, other: Placed, isIdentity: boolean, lexicon: Lexicon): boolean {
  if (sentenceOf(one.left) !== sentenceOf(other.left) || sentenceOf(one.right) !== sentenceOf(other.right))
    return false;
  if ([one, other].some(({ left, right }) => left.kind === "date" && left.after === right.after)) return true;
  const areKept = [one, other].every(({ left, right }) => left.after === right.after);
  if (!areKept) return areCompound(one, other) || areCompound(other, one);
  if (one.left.after !== other.left.after || isIdentity) return true;
  const kinds = [kindOfWord(one, lexicon), kindOfWord(other, lexicon)].sort();
  return isApposition(one, other) && kinds.join() === "name,noun";
}

/** "The old man's car" against "the man's old car": an adjective belongs to what follows it. */
function isMovedAdjective({ left, right }: Placed, placed: readonly Placed[], lexicon: Lexicon): boolean {
  if (left.kind !== "word" || lexicon.partOfSpeech(left.text) !== "adjective") return false;
  const next = (side: "left" | "right", own: PromptItem): Placed | undefined =>
    placed.find((other) => other[side].slot === own.slot + 1);
  const [one, other] = [next("left", left), next("right", right)];
  return one !== undefined && other !== undefined && one !== other;
}

function sentenceOf({ slot }: PromptItem): number {
  return Math.floor(slot / SENTENCE_SLOTS);
}

/** The head of a compound and its modifier, which stands behind a preposition in the other text. */
function areCompound(head: Placed, modifier: Placed): boolean {
  if (head.left.after !== head.right.after) return false;
  const [near, far] = [head.left.slot - modifier.left.slot, head.right.slot - modifier.right.slot];
  const [before, behind] = near > 0 ? [modifier.left, modifier.right] : [modifier.right, modifier.left];
  return (
    Math.abs(near) + Math.abs(far) <= MAX_COMPOUND &&
    (before.after === (near > 0 ? head.left.after : head.right.after) || before.after === "of") &&
    behind.after !== ""
  );
}

function isApposition(one: Placed, other: Placed): boolean {
  const distance = (side: "left" | "right"): number => Math.abs(one[side].slot - other[side].slot);
  return distance("left") + distance("right") <= 3;
}

function kindOfWord({ left, right }: Placed, lexicon: Lexicon): string {
  if (left.kind === "name" || right.kind === "name") return "name";
  if (left.kind !== "word") return left.kind;
  return lexicon.partOfSpeech(left.text) ?? "noun";
}

const BE = new Set("is are was were am".split(" "));
/** Says nothing of which side of "is" a word is on. */
const EMPTY = new Set("the a an s of".split(" "));

/** The words on both sides of the only "is"; undefined for a comparison, which has two sides that differ. */
function sidesOf({ words }: Statement): readonly [string, string] | undefined {
  const at = words.findIndex((word) => BE.has(word));
  const isPlain = at > 0 && !words.some((word, place) => place > at && BE.has(word));
  if (!isPlain || words.some((word) => word === "than" || word === "as")) return undefined;
  const side = (part: readonly string[]): string =>
    part
      .filter((word) => !EMPTY.has(word))
      .sort()
      .join(" ");
  return [side(words.slice(0, at)), side(words.slice(at + 1))];
}

/** "Green is her favourite colour" against "her favourite colour is green". */
function isTurned(left: Statement, right: Statement): boolean {
  const [one, other] = [sidesOf(left), sidesOf(right)];
  return one !== undefined && other !== undefined && one[0] === other[1] && one[1] === other[0];
}
