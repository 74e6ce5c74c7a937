import type { PromptItem } from "./analysis.ts";
import { stemWord } from "./analysis-stems.ts";
import { ANTONYMS, CONFUSABLES, NEGATING_PREFIXES, OPPOSED_PREFIXES } from "./analysis-words.ts";

/** Two equivalent items, by their positions in the two prompts. */
export interface AlignedPair {
  readonly left: number;
  readonly right: number;
}

/** The equivalent items of two prompts, and the unmatched ones on either side. */
export interface Alignment {
  readonly pairs: readonly AlignedPair[];
  readonly left: readonly PromptItem[];
  readonly right: readonly PromptItem[];
}

// Loose matching is quadratic in the unmatched items; beyond this number the prompts differ anyway.
const MAX_LOOSE = 16;

// Inflectional endings. Derivations that change the meaning (-er, -ity, -al) are excluded.
const INFLECTIONS = new Set(" s es ed d ing ment ments ion ions ation ations ly 's".split(" "));
const STEM_FINALS = new Set(
  "e es ed ing ion ions ation ations er".split(" ").filter((ending) => ending !== "er"),
);
const Y_FORMS = new Set("y ies ied ying ication".split(" "));

/**
 * Aligns each item of one prompt with at most one of the other: same word first, then related forms, then
 * compounds, acronyms and typos. The k-th of equal items is aligned with the k-th.
 */
export function alignItems(left: readonly PromptItem[], right: readonly PromptItem[]): Alignment {
  const pairs: AlignedPair[] = [];
  const open = new Set(right.keys());
  let unmatched = matchBy(left, right, [...left.keys()], open, pairs, spellingOf);
  if (unmatched.length > 0 && open.size > 0) {
    unmatched = matchBy(left, right, unmatched, open, pairs, (item) =>
      item.kind === "word" || item.kind === "name" ? item.stem : "",
    );
  }
  if (unmatched.length > 0 && open.size > 0 && unmatched.length <= MAX_LOOSE && open.size <= MAX_LOOSE) {
    unmatched = matchLoosely(left, right, unmatched, open, pairs);
  }
  pairs.sort((one, other) => one.left - other.left || one.right - other.right);
  const pick = (items: readonly PromptItem[], at: Iterable<number>): PromptItem[] =>
    [...at].flatMap((index) => items[index] ?? []);
  return { pairs, left: pick(left, unmatched), right: pick(right, open) };
}

// Words, names and identifiers are one kind as far as spelling goes: "javascript" is JavaScript.
function spellingOf({ kind, text }: PromptItem): string {
  return kind === "word" || kind === "name" || kind === "code" ? text : `${kind} ${text}`;
}

function matchBy(
  left: readonly PromptItem[],
  right: readonly PromptItem[],
  unmatched: readonly number[],
  open: Set<number>,
  pairs: AlignedPair[],
  key: (item: PromptItem) => string,
): number[] {
  const candidates = new Map<string, number[]>();
  for (const index of open) {
    const item = right[index];
    if (item === undefined) continue;
    const name = key(item);
    const found = candidates.get(name);
    if (found === undefined) candidates.set(name, [index]);
    else found.push(index);
  }
  const rest: number[] = [];
  for (const index of unmatched) {
    const item = left[index];
    const name = item === undefined ? "" : key(item);
    const found = name === "" ? undefined : candidates.get(name);
    const match = found?.[0];
    const other = match === undefined ? undefined : right[match];
    if (match === undefined || item === undefined || other === undefined || !isSameWord(item, other)) {
      rest.push(index);
      continue;
    }
    found?.shift();
    open.delete(match);
    pairs.push({ left: index, right: match });
  }
  return rest;
}

/** Whether two items of one stem are forms of one word: "hired" and "hires", not "import" and "important". */
function isSameWord(one: PromptItem, other: PromptItem): boolean {
  if (one.text === other.text) return true;
  // Names have no forms: William is not Williams.
  if (one.kind === "name" && other.kind === "name") return false;
  if (isConfusable(one.text, other.text)) return false;
  const shared = sharedPrefix(one.text, other.text);
  const [ending, otherEnding] = [endingOf(one.text, shared), endingOf(other.text, shared)];
  if (INFLECTIONS.has(ending) && INFLECTIONS.has(otherEnding)) return !areVoices(ending, otherEnding);
  if (STEM_FINALS.has(ending) && STEM_FINALS.has(otherEnding)) return !areVoices(ending, otherEnding);
  return Y_FORMS.has(ending) && Y_FORMS.has(otherEnding);
}

// "Shipped" ends in "ed" after "ship": a doubled consonant belongs to the inflection.
function endingOf(word: string, shared: number): string {
  const ending = word.slice(shared);
  return ending.length > 2 && ending[0] === word[shared - 1] ? ending.slice(1) : ending;
}

// "Is hiring" and "is hired" exchange who does it.
function areVoices(one: string, other: string): boolean {
  return (
    (one === "ing" && (other === "ed" || other === "d")) || (other === "ing" && (one === "ed" || one === "d"))
  );
}

function matchLoosely(
  left: readonly PromptItem[],
  right: readonly PromptItem[],
  unmatched: readonly number[],
  open: Set<number>,
  pairs: AlignedPair[],
): number[] {
  const rest = new Set(unmatched);
  const take = (runs: readonly number[], single: number, flipped: boolean): void => {
    for (const index of runs) (flipped ? open : rest).delete(index);
    (flipped ? rest : open).delete(single);
    for (const index of runs)
      pairs.push(flipped ? { left: single, right: index } : { left: index, right: single });
  };
  for (const flipped of [false, true]) {
    const [many, few] = flipped ? [right, left] : [left, right];
    const [manyOpen, fewOpen] = flipped ? [open, rest] : [rest, open];
    for (const single of [...fewOpen]) {
      const run = runFor(many, [...manyOpen], few[single]);
      if (run.length > 0) take(run, single, flipped);
    }
  }
  for (const one of [...rest]) {
    for (const other of open) {
      const [item, candidate] = [left[one], right[other]];
      if (item === undefined || candidate === undefined || !isSlip(item, candidate)) continue;
      rest.delete(one);
      open.delete(other);
      pairs.push({ left: one, right: other });
      break;
    }
  }
  return [...rest];
}

/** The neighbouring items that a compound ("data base") or an acronym's letters spell out. */
function runFor(
  items: readonly PromptItem[],
  open: readonly number[],
  single: PromptItem | undefined,
): number[] {
  if (single === undefined || single.kind === "number" || single.kind === "date" || single.kind === "foreign")
    return [];
  for (const [position, start] of open.entries()) {
    const run: number[] = [];
    let joined = "";
    let initials = "";
    for (let index = start, next = position; open[next] === index && run.length < 5; index++, next++) {
      const item = items[index];
      if (item === undefined || (item.kind === "number" && run.length === 0) || item.text.includes(" "))
        break;
      if (item.kind === "date" || item.kind === "foreign" || item.kind === "pronoun") break;
      run.push(index);
      joined += item.text;
      initials += item.text.charAt(0);
      const spellsOut = run.length > 2 || (run.length === 2 && single.kind === "name");
      // "div p" is no compound: only the first part of one may be a letter, as in "e mail".
      const compound = joined === single.text && !(single.kind === "word" && item.text.length === 1);
      if (run.length > 1 && (compound || (spellsOut && initials === single.text))) return run;
    }
  }
  return [];
}

/** One letter off in a long word that is not known to be another word. Names must be longer and only swapped. */
function isSlip(one: PromptItem, other: PromptItem): boolean {
  const named = one.kind === "name" || other.kind === "name";
  if (!(named || (one.kind === "word" && other.kind === "word"))) return false;
  const [a, b] = [one.text, other.text];
  if (!/^[a-z]+$/.test(a) || !/^[a-z]+$/.test(b) || Math.abs(a.length - b.length) > 1) return false;
  if (a.charAt(0) !== b.charAt(0) || Math.min(a.length, b.length) < 5 || isConfusable(a, b)) return false;
  if (isConfusable(one.stem, other.stem) || areOpposite(one, other)) return false;
  const start = sharedPrefix(a, b);
  const [restA, restB] = [a.slice(start), b.slice(start)];
  const swapped =
    restA.length > 1 && restA.slice(2) === restB.slice(2) && restA[0] === restB[1] && restA[1] === restB[0];
  if (swapped) return named ? a.length >= 6 : true;
  if (named || Math.max(a.length, b.length) < 6) return false;
  if (a.length === b.length) {
    // The last letter is grammar ("advisor", "adviser"); elsewhere one wrong letter needs a longer word.
    return a.length >= 7 && restA.length > 1 && restA.slice(1) === restB.slice(1);
  }
  const [longer, shorter] = restA.length > restB.length ? [restA, restB] : [restB, restA];
  return shorter.length > 0 && longer.slice(1) === shorter;
}

function isConfusable(one: string, other: string): boolean {
  return CONFUSABLES.has(`${one}/${other}`) || CONFUSABLES.has(`${other}/${one}`);
}

function sharedPrefix(one: string, other: string): number {
  let length = 0;
  while (length < one.length && length < other.length && one[length] === other[length]) length++;
  return length;
}

const OPPOSITES = new Map<string, Set<string>>();
for (const [one, other] of ANTONYMS) {
  for (const [from, to] of [
    [stemWord(one), stemWord(other)],
    [stemWord(other), stemWord(one)],
  ] as const) {
    const known = OPPOSITES.get(from);
    if (known === undefined) OPPOSITES.set(from, new Set([to]));
    else known.add(to);
  }
}

/** Whether two stems or particles are opposites by the table alone. */
export function areAntonyms(one: string, other: string): boolean {
  return OPPOSITES.get(one)?.has(other) === true;
}

/** Whether two words are opposites, by the table, by a negating prefix or by -ful and -less. */
export function areOpposite(one: PromptItem, other: PromptItem): boolean {
  if (areAntonyms(one.stem, other.stem)) return true;
  // "Oldest" and "newest": the stemmer keeps degrees.
  for (const degree of ["est", "er"]) {
    if (!one.text.endsWith(degree) || !other.text.endsWith(degree)) continue;
    const bare = (word: string): string => stemWord(word.slice(0, -degree.length));
    if (areAntonyms(bare(one.text), bare(other.text))) return true;
  }
  const [longer, shorter] = one.text.length >= other.text.length ? [one, other] : [other, one];
  if (shorter.stem.length >= 4 && longer.stem !== shorter.stem) {
    if (
      NEGATING_PREFIXES.some(
        (prefix) => longer.stem === prefix + shorter.stem || longer.text === prefix + shorter.text,
      )
    ) {
      return true;
    }
  }
  if (longer.text.endsWith("less") || shorter.text.endsWith("less")) {
    const bare = (word: string): string => word.replace(/(?:less|ful)(?:ly|ness)?$/, "");
    if (bare(longer.text) === bare(shorter.text)) return true;
  }
  return OPPOSED_PREFIXES.some(
    ([a, b]) => swapsPrefix(one.stem, other.stem, a, b) || swapsPrefix(other.stem, one.stem, a, b),
  );
}

function swapsPrefix(one: string, other: string, a: string, b: string): boolean {
  return (
    one.length >= a.length + 3 &&
    one.startsWith(a) &&
    other.startsWith(b) &&
    one.slice(a.length) === other.slice(b.length)
  );
}
