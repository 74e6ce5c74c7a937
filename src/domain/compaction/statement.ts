import { analyzeStatement, type PromptAnalysis, type PromptItem } from "../cache/analysis.ts";
import { isPastForm } from "../cache/analysis-verbs.ts";
import type { Lexicon } from "../cache/lexicon.ts";
import { normalisedText } from "../memory/memory.ts";
import { type Clause, readClause } from "./clause.ts";
import { rewritePhrases } from "./statement-phrases.ts";

/** A text as the guard of memories compares it. Plain data, never stored. */
export interface Statement {
  /** With single spaces. */
  readonly text: string;
  /** Equal for texts that {@link duplicateKey} of a memory does not tell apart. */
  readonly normalized: string;
  readonly analysis: PromptAnalysis;
  /** The stems of what the analysis found, for a first look at two texts. */
  readonly stems: ReadonlySet<string>;
  /** Its parts, of a short statement of one subject. */
  readonly clause: Clause | undefined;
  /** The words, in lower case, in order. */
  readonly words: readonly string[];
  /** It tells what happened ("bought", "was delivered") without its date, not how something is. */
  readonly tellsEvent: boolean;
}

const PRESENT = new Set("is are am has have does do can will must should may".split(" "));
const PAST = new Set("was were had did met put cut read hit set".split(" "));
/** Longer texts say more than one thing. */
const MAX_CLAUSE = 200;
const WORDS = /[\p{L}\p{M}\p{N}]+/gu;
/** Names are in the rarer levels of the word list. */
const RARE = 4;
const OPENING_NAME = /(?:^|[.!?:;,]\s+)(\p{Lu}[\p{L}\p{M}]*)/gu;

/**
 * Reads a text once, for any number of comparisons. A capitalised word that opens a sentence is a name when it is no
 * common word: "Ana lives here" and "Eva lives here" speak of two persons.
 */
export function readStatement(given: string, lexicon: Lexicon): Statement {
  // Some expressions are quadratic in a run of white space: 8,000 spaces took 1.6 s.
  const text = given.replaceAll(/[^\S\n]+/gu, " ").replaceAll(/\n(?:\s*\n)+/gu, "\n");
  const rewritten = rewritePhrases(text);
  const analysis = analyzeStatement(rewritten);
  const opening = new Set<string>();
  for (const [, word = ""] of text.matchAll(OPENING_NAME)) {
    const lower = word.toLowerCase();
    if ((lexicon.level(lower) ?? RARE) >= RARE) opening.add(lower);
  }
  const items = withPhraseEnds(analysis.items, lexicon).map(
    (item): PromptItem =>
      item.kind === "word" && opening.has(item.text) ? { ...item, kind: "name", stem: item.text } : item,
  );
  const words = rewritten.toLowerCase().match(WORDS) ?? [];
  return {
    text,
    normalized: normalisedText(text),
    analysis: { ...analysis, items },
    stems: new Set(items.map(({ stem }) => stem)),
    clause: text.length > MAX_CLAUSE ? undefined : readClause(text),
    words,
    tellsEvent: tellsEvent(words) && !items.some(isDate),
  };
}

/** Behind these prepositions times of day and of the year stand as without one: "in the evening", "every evening". */
const AT_TIME = new Set(["in", "on", "at"]);
const TIMES = new Set(
  "morning afternoon evening night day week weekend month year spring summer autumn winter"
    .split(" ")
    .flatMap((time) => [time, `${time}s`]),
);

/**
 * Ends the phrase of a preposition before a verb and before a time. The analysis of prompts ends it at auxiliaries alone,
 * and questions have one mostly; "the mother of Leo bakes bread every day" has none.
 */
function withPhraseEnds(items: readonly PromptItem[], lexicon: Lexicon): PromptItem[] {
  const ended: PromptItem[] = [];
  let open = "";
  let previous = "";
  for (const item of items) {
    const continues = item.after !== "" && item.after === previous;
    if (!continues) open = item.after;
    const isTime = item.kind === "word" && TIMES.has(item.text);
    const isVerb = item.kind === "word" && lexicon.partOfSpeech(item.text) === "verb";
    if ((continues && (isVerb || isTime)) || (isTime && AT_TIME.has(item.after))) open = "";
    ended.push({ ...item, after: open });
    previous = item.after;
  }
  return ended;
}

function isDate({ kind, text }: PromptItem): boolean {
  return kind === "date" ? /[0-9]/.test(text) : kind === "number" && /^[12][0-9]{3}$/.test(text);
}

/** A verb in the past, and none in the present. "Has moved", "is married" say how something is now. */
function tellsEvent(words: readonly string[]): boolean {
  if (words.some((word) => PRESENT.has(word))) return false;
  return words.some((word) => PAST.has(word) || isPastForm(word));
}

/** How many stems both have, as a share of those of the one with fewer, 0 to 1; 1 when one has none. */
export function sharedStems(one: Statement, other: Statement): number {
  const [fewer, more] =
    one.stems.size < other.stems.size ? [one.stems, other.stems] : [other.stems, one.stems];
  if (fewer.size === 0) return 1;
  let shared = 0;
  for (const stem of fewer) if (more.has(stem)) shared++;
  return shared / fewer.size;
}
