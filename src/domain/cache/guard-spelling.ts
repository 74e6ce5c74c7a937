import type { PromptItem } from "./analysis.ts";
import { CONFUSABLES } from "./analysis-words.ts";
import { areOpposite } from "./guard-opposites.ts";
import type { Lexicon } from "./lexicon.ts";

/** Shortest word in which a slip is recognised; in shorter ones most wrong letters make another word. */
const MIN_SLIP = 4;
/** From this length on two slips are. */
const MIN_TWO_SLIPS = 8;
/** Names of this length and less differ by single letters. */
const MIN_NAME = 6;

/**
 * Whether one of two words is the other with a slip of the keyboard. Words that the lexicon knows are what they are, and a
 * name or a term that it does not know may be one too: exactly one of the two must be a known word.
 */
export function isSlip(one: PromptItem, other: PromptItem, lexicon: Lexicon): boolean {
  const named = one.kind === "name" || other.kind === "name";
  if (!(named || (one.kind === "word" && other.kind === "word"))) return false;
  const [a, b] = [one.text, other.text];
  if (!/^[a-z]+$/.test(a) || !/^[a-z]+$/.test(b)) return false;
  const shorter = Math.min(a.length, b.length);
  if (shorter < MIN_SLIP || Math.abs(a.length - b.length) > 2) return false;
  if (isConfusable(a, b) || isConfusable(one.stem, other.stem) || areOpposite(one, other)) return false;
  const known = [a, b].filter((word) => lexicon.level(word) !== undefined).length;
  if (known === 2 && !named) return false;
  // William is not Williams: in names, and in words that no list knows, only exchanged letters are a slip.
  if (known === 0 || named) return shorter >= MIN_NAME && areSwapped(a, b);
  const slips = editDistance(a, b);
  if (a.charAt(0) !== b.charAt(0)) return slips === 1 && shorter >= MIN_NAME;
  return slips <= (shorter >= MIN_TWO_SLIPS ? 2 : 1);
}

/** Whether one of two words is a shorter writing of the other: "acct" of "account", "promo" of "promotional". */
export function isClipped(one: PromptItem, other: PromptItem, lexicon: Lexicon): boolean {
  if (one.kind !== "word" || other.kind !== "word") return false;
  const [short, long] = one.text.length < other.text.length ? [one.text, other.text] : [other.text, one.text];
  if (short.length < 3 || short.length > 6 || long.length < short.length + 2) return false;
  if (lexicon.level(short) !== undefined || lexicon.level(long) === undefined) return false;
  if (long.startsWith(short)) return true;
  // Consonants stand for the word, in their order; the first and mostly the last are kept.
  let at = 0;
  for (const letter of long) if (letter === short[at]) at++;
  const consonants = short.replace(/[aeiou]/g, "").length;
  return at === short.length && short[0] === long[0] && consonants * 2 > short.length;
}

function areSwapped(a: string, b: string): boolean {
  const start = sharedPrefix(a, b);
  const [restA, restB] = [a.slice(start), b.slice(start)];
  return (
    restA.length > 1 && restA.slice(2) === restB.slice(2) && restA[0] === restB[1] && restA[1] === restB[0]
  );
}

/** Letters to insert, remove, replace or exchange with their neighbour (optimal string alignment). */
function editDistance(a: string, b: string): number {
  let before: number[] = [];
  let above = Array.from({ length: b.length + 1 }, (_, at) => at);
  for (let i = 1; i <= a.length; i++) {
    const row = [i];
    for (let j = 1; j <= b.length; j++) {
      const same = a[i - 1] === b[j - 1];
      let least = Math.min((row[j - 1] ?? 0) + 1, (above[j] ?? 0) + 1, (above[j - 1] ?? 0) + (same ? 0 : 1));
      if (i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1]) {
        least = Math.min(least, (before[j - 2] ?? 0) + 1);
      }
      row.push(least);
    }
    [before, above] = [above, row];
  }
  return above[b.length] ?? 0;
}

export function isConfusable(one: string, other: string): boolean {
  return CONFUSABLES.has(`${one}/${other}`) || CONFUSABLES.has(`${other}/${one}`);
}

export function sharedPrefix(one: string, other: string): number {
  let length = 0;
  while (length < one.length && length < other.length && one[length] === other[length]) length++;
  return length;
}
