import type { PromptItem } from "./analysis.ts";
import { SENTENCE_SLOTS } from "./analysis-order.ts";
import { DIRECTIONS, OPPOSED_CONNECTORS } from "./analysis-words.ts";
import type { AlignedPair } from "./guard-align.ts";

/** The reason of a different order, of aligned items, explicit when opposite words govern one of them; undefined when the order is equivalent. */
export type OrderConflict =
  | { readonly reason: "ORDER" | "DIRECTION"; readonly isExplicit: boolean }
  | undefined;

/** Words between the parts of a compound: "the fee for a transfer" is "the transfer fee". */
const COMPOUNDING = new Set("of for on in at about with".split(" "));

/** Words of a compound, such as "card transfer limit"; both distances of two of its words add up to no more. */
const MAX_COMPOUND = 3;

/** Endings of nouns that name what a verb does. */
const NOMINAL = /(?:tion|sion|ment|al|ance|ence|age|ure|ery)s?$/;

interface Placed {
  readonly left: PromptItem;
  readonly right: PromptItem;
}

/**
 * Whether the aligned items have the same order. A phrase or clause may move when it keeps the word that
 * governs it ("in Paris, where …", "where … in Paris"), and so may the halves of "A and B". The analysis has put
 * passives into active order. Unless the prompts are near each other only opposite directions count.
 */
export function compareOrder(
  left: readonly PromptItem[],
  right: readonly PromptItem[],
  pairs: readonly AlignedPair[],
  near: boolean,
): OrderConflict {
  const placed: Placed[] = [];
  for (const pair of pairs) {
    const [one, other] = [left[pair.left], right[pair.right]];
    if (one !== undefined && other !== undefined) placed.push({ left: one, right: other });
  }
  if (placed.some((pair) => OPPOSED_CONNECTORS.has(`${pair.left.after}/${pair.right.after}`)))
    return { reason: "DIRECTION", isExplicit: true };
  if (!near) return undefined;
  // The common case is linear: nothing moved.
  if (placed.every((pair, at) => at === 0 || !isInverted(placed[at - 1] ?? pair, pair))) {
    if (isMonotonic(placed)) return undefined;
  }
  if (isJoinedSwap(placed)) return undefined;
  for (const [at, one] of placed.entries()) {
    for (let next = at + 1; next < placed.length; next++) {
      const other = placed[next] ?? one;
      if (!isInverted(one, other) || mayMove(one, other) || areModifiers(placed, at, next)) continue;
      return { reason: [one, other].some(isDirected) ? "DIRECTION" : "ORDER", isExplicit: false };
    }
  }
  return undefined;
}

function isInverted(one: Placed, other: Placed): boolean {
  return (one.left.slot - other.left.slot) * (one.right.slot - other.right.slot) < 0;
}

function isMonotonic(placed: readonly Placed[]): boolean {
  let highest = -1;
  let previousLeft = -1;
  for (const { left, right } of placed) {
    if (left.slot < previousLeft || right.slot < highest) return false;
    [previousLeft, highest] = [left.slot, right.slot];
  }
  return true;
}

function isDirected({ left, right }: Placed): boolean {
  return left.after !== right.after && (DIRECTIONS.has(left.after) || DIRECTIONS.has(right.after));
}

function mayMove(one: Placed, other: Placed): boolean {
  if (sentenceOf(one.left) !== sentenceOf(other.left) || sentenceOf(one.right) !== sentenceOf(other.right))
    return true;
  // "Tomorrow at 5 pm" stands where it likes.
  if ([one, other].some(({ left, right }) => left.kind === "date" && !isDirected({ left, right })))
    return true;
  const keepGovernors = one.left.after === one.right.after && other.left.after === other.right.after;
  if (keepGovernors && one.left.after !== other.left.after) return true;
  if (isNominal(one, other) || isNominal(other, one)) return true;
  return (
    isCompound(one.left, other.left, one.right, other.right) ||
    isCompound(one.right, other.right, one.left, other.left)
  );
}

function sentenceOf({ slot }: PromptItem): number {
  return Math.floor(slot / SENTENCE_SLOTS);
}

/** "Card activation" against "activate the card". */
function isNominal(verb: Placed, object: Placed): boolean {
  const isNoun = (item: PromptItem): boolean => NOMINAL.test(item.text);
  const swaps = (noun: "left" | "right", active: "left" | "right"): boolean =>
    isNoun(verb[noun]) &&
    !isNoun(verb[active]) &&
    verb[noun].slot - object[noun].slot === 1 &&
    object[active].slot > verb[active].slot &&
    object[active].slot - verb[active].slot <= 2;
  return object.left.kind === "word" && (swaps("left", "right") || swaps("right", "left"));
}

/** "Disposable virtual card" against "virtual disposable card". */
function areModifiers(placed: readonly Placed[], at: number, next: number): boolean {
  const [one, other, head] = [placed[at], placed[next], placed[next + 1]];
  if (next !== at + 1 || one === undefined || other === undefined || head === undefined) return false;
  return [one, other].every(
    ({ left, right }) =>
      left.kind === "word" &&
      left.after === head.left.after &&
      right.after === head.right.after &&
      head.left.slot - left.slot <= 2 &&
      head.left.slot > left.slot &&
      head.right.slot - right.slot <= 2 &&
      head.right.slot > right.slot,
  );
}

/** "The account name" against "the name of the account": `first` and `second` side by side, then the other way round. */
function isCompound(
  first: PromptItem,
  second: PromptItem,
  firstOf: PromptItem,
  secondOf: PromptItem,
): boolean {
  const [near, far] = first.slot < second.slot ? [first, second] : [second, first];
  const [nearOf, farOf] = first.slot < second.slot ? [firstOf, secondOf] : [secondOf, firstOf];
  return (
    near.after === far.after &&
    nearOf.slot > farOf.slot &&
    far.slot - near.slot + nearOf.slot - farOf.slot <= MAX_COMPOUND &&
    COMPOUNDING.has(nearOf.after) &&
    nearOf.after !== farOf.after
  );
}

/** "Two apples and three pears" against "three pears and two apples": a rotation about a joint on both sides. */
function isJoinedSwap(placed: readonly Placed[]): boolean {
  const ranked = [...placed].sort((one, other) => one.right.slot - other.right.slot);
  const rank = new Map(ranked.map((pair, at) => [pair, at]));
  const ranks = placed.map((pair) => rank.get(pair) ?? 0);
  const first = ranks.findIndex((value, at) => value !== at);
  let last = ranks.length - 1;
  while (last > first && ranks[last] === last) last--;
  if (first < 0) return false;
  const middle = ranks.indexOf(first);
  for (let at = first; at <= last; at++) {
    const expected = at < middle ? first + (last - middle + 1) + (at - first) : first + (at - middle);
    if (ranks[at] !== expected) return false;
  }
  // In the middle of a sentence ("Tom called Ann and Bob called Sue") the joint is between clauses.
  if (first > 0 && last < ranks.length - 1) return false;
  // Unequal halves are rather "Tom called Ann and Bob" than a list.
  const [leading, trailing] = [middle - first, last - middle + 1];
  return (
    Math.abs(leading - trailing) <= 1 &&
    placed[middle]?.left.joined === true &&
    placed[first]?.right.joined === true
  );
}
