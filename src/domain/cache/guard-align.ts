import type { PromptItem } from "./analysis.ts";
import { UNITS } from "./analysis-words.ts";
import { areOpposite } from "./guard-opposites.ts";
import { isClipped, isConfusable, isSlip, sharedPrefix } from "./guard-spelling.ts";
import type { Lexicon, WordRelation } from "./lexicon.ts";

const UNIT_NAMES = new Set(UNITS.values());

/** Two equivalent items, by their positions in the two prompts. */
export interface AlignedPair {
  readonly left: number;
  readonly right: number;
}

/** The equivalent items of two prompts, and the unmatched ones on either side. */
export interface Alignment {
  readonly pairs: readonly AlignedPair[];
  /** How many words were aligned with another word of related meaning. */
  readonly related: number;
  /** Whether a word was aligned with a more general one, which is not always its equivalent. */
  readonly isLoose: boolean;
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
export function alignItems(
  left: readonly PromptItem[],
  right: readonly PromptItem[],
  lexicon: Lexicon,
): Alignment {
  const pairs: AlignedPair[] = [];
  const open = new Set(right.keys());
  let isLoose = false;
  let related = 0;
  let unmatched = matchBy(left, right, [...left.keys()], open, pairs, spellingOf);
  if (unmatched.length > 0 && open.size > 0) {
    unmatched = matchBy(left, right, unmatched, open, pairs, (item) =>
      item.kind === "word" || item.kind === "name" ? item.stem : "",
    );
  }
  if (unmatched.length > 0 && open.size > 0 && unmatched.length <= MAX_LOOSE && open.size <= MAX_LOOSE) {
    unmatched = matchLoosely(left, right, unmatched, open, pairs, lexicon);
    const equal = pairs.length;
    const found = { left, right, open, pairs, lexicon };
    unmatched = matchRelated(found, unmatched, CLOSE_RELATIONS);
    const close = pairs.length;
    unmatched = matchRelated(found, unmatched, new Set(["hypernym"]));
    isLoose = pairs.length > close;
    related = pairs.length - equal;
  }
  pairs.sort((one, other) => one.left - other.left || one.right - other.right);
  const pick = (items: readonly PromptItem[], at: Iterable<number>): PromptItem[] =>
    [...at].flatMap((index) => items[index] ?? []);
  return { pairs, related, isLoose, left: pick(left, unmatched), right: pick(right, open) };
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
  lexicon: Lexicon,
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
      if (item === undefined || candidate === undefined) continue;
      if (!isSlip(item, candidate, lexicon) && !isClipped(item, candidate, lexicon)) continue;
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

const CLOSE_RELATIONS: ReadonlySet<WordRelation> = new Set(["synonym", "derivation"]);

/** Aligns words that are related in one of the given ways. */
function matchRelated(
  { left, right, open, pairs, lexicon }: Matching,
  unmatched: readonly number[],
  relations: ReadonlySet<WordRelation>,
): number[] {
  return unmatched.filter((one) => {
    for (const other of open) {
      const [item, candidate] = [left[one], right[other]];
      if (item?.kind !== "word" || candidate?.kind !== "word") continue;
      if (isUnit(item.text) || isUnit(candidate.text) || areOpposite(item, candidate)) continue;
      if (isConfusable(item.text, candidate.text)) continue;
      const relation = lexicon.relation(item.text, candidate.text);
      if (relation === undefined || !relations.has(relation)) continue;
      open.delete(other);
      pairs.push({ left: one, right: other });
      return false;
    }
    return true;
  });
}

interface Matching {
  readonly left: readonly PromptItem[];
  readonly right: readonly PromptItem[];
  readonly open: Set<number>;
  readonly pairs: AlignedPair[];
  readonly lexicon: Lexicon;
}

/** Whether a word is a unit, such as "month". Months and days are of one kind, and one is not the other. */
export function isUnit(word: string): boolean {
  return UNIT_NAMES.has(word) || UNIT_NAMES.has(UNITS.get(word) ?? "");
}
