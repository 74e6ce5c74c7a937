import type { PromptItem } from "./analysis.ts";
import { DIRECTIONS, OPPOSED_CONNECTORS } from "./analysis-words.ts";
import type { AlignedPair } from "./guard-align.ts";

/** The reason of a different order of aligned items; undefined when the order is equivalent. */
export type OrderConflict = "ORDER" | "DIRECTION" | "ROLE" | undefined;

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
    return "DIRECTION";
  if (!near) return undefined;
  // The common case is linear: nothing moved.
  if (placed.every((pair, at) => at === 0 || !isInverted(placed[at - 1] ?? pair, pair))) {
    if (isMonotonic(placed)) return undefined;
  }
  if (isJoinedSwap(placed)) return undefined;
  for (const [at, one] of placed.entries()) {
    for (let next = at + 1; next < placed.length; next++) {
      const other = placed[next] ?? one;
      if (!isInverted(one, other) || mayMove(one, other)) continue;
      if (one.left.kind === "pronoun" || other.left.kind === "pronoun") return "ROLE";
      return [one, other].some(isDirected) ? "DIRECTION" : "ORDER";
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
  return (
    one.left.after === one.right.after &&
    other.left.after === other.right.after &&
    one.left.after !== other.left.after
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
