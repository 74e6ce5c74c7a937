import type { PromptAnalysis, PromptItem } from "./analysis.ts";
import { stemWord } from "./analysis-stems.ts";
import { LIGHT_VERBS, LIGHT_WORDS } from "./analysis-words.ts";
import type { Alignment } from "./guard-align.ts";
import type { RefusingStrictness } from "./guard-strictness.ts";
import type { Lexicon } from "./lexicon.ts";

// Most words that differ, be they related or not, for a substitution rather than a paraphrase.
const MAX_SUBSTITUTED = 2;
// In a prompt of so many words that the other has too, one more restricts little.
const MIN_DETAILED = 4;
const LIGHT_STEMS = stemsOf(LIGHT_WORDS);
/** Words that only look like the plural of a word without content. */
const PLURALS_OF_THEIR_OWN = new Set(["news", "goods"]);
const LIGHT_VERB_STEMS = stemsOf(LIGHT_VERBS);

/** The stems of the forms of words; the stems of short words are not those of their forms. */
function stemsOf(words: ReadonlySet<string>): ReadonlySet<string> {
  const forms = [...words].flatMap((word) => [
    word,
    `${word}s`,
    `${word.replace(/e$/, "")}ing`,
    `${word.replace(/e$/, "")}ed`,
  ]);
  return new Set(forms.map(stemWord));
}

/** Whether an item carries no content of its own; see LIGHT_WORDS. */
export function isLight({ stem }: PromptItem): boolean {
  return LIGHT_STEMS.has(stem);
}

export function isWord({ kind }: PromptItem): boolean {
  return kind === "word";
}

/** How many words with content of their own both prompts have. */
function equalContent({ items }: PromptAnalysis, { pairs, related }: Alignment): number {
  const content = pairs.filter((pair) => {
    const item = items[pair.left];
    return item !== undefined && item.kind !== "pronoun" && !isLight(item);
  });
  return content.length - related;
}

/** Whether a word restricts what the prompt speaks of; an aside ("the refund that I requested") does not. */
function isRestricting(item: PromptItem, items: readonly PromptItem[], lexicon: Lexicon): boolean {
  const at = items.indexOf(item);
  return at < 2 || items[at - 1]?.kind !== "pronoun" || lexicon.partOfSpeech(item.text) !== "verb";
}

/** The unmatched words of either side that say something which the other side does not. */
export function contentOf(
  left: readonly PromptItem[],
  right: readonly PromptItem[],
): readonly [PromptItem[], PromptItem[]] {
  const [one, other] = [left, right].map((items) =>
    items.filter(
      ({ kind, stem, text }) =>
        kind === "word" && !(LIGHT_STEMS.has(stem) && !PLURALS_OF_THEIR_OWN.has(text)),
    ),
  ) as [PromptItem[], PromptItem[]];
  const isHeavy = ({ stem }: PromptItem): boolean => !LIGHT_VERB_STEMS.has(stem);
  // "Get a refund" against "a refund": the verb adds nothing. Against "cancel a refund" it does.
  return [other.length === 0 ? one.filter(isHeavy) : one, one.length === 0 ? other.filter(isHeavy) : other];
}

/** What one of two prompts says in addition or instead, and from which strictness on it is refused. */
export interface ContentConflict {
  readonly reason: "SPECIFICITY" | "SUBSTITUTION";
  readonly from: RefusingStrictness;
}

/**
 * Judges words that have no equivalent; `leftOver` and `rightOver` are those of either side that {@link contentOf} returns.
 * Undefined where so much differs that it is a paraphrase.
 */
export function compareContent(
  [left, right]: readonly [PromptAnalysis, PromptAnalysis],
  [leftOver, rightOver]: readonly [readonly PromptItem[], readonly PromptItem[]],
  alignment: Alignment,
  lexicon: Lexicon,
): ContentConflict | undefined {
  if (leftOver.length > 0 && rightOver.length > 0) {
    const exchanged = Math.max(leftOver.length, rightOver.length);
    if (exchanged + alignment.related > MAX_SUBSTITUTED) return undefined;
    // One word for another is another question; two for two may be the same one in other words.
    return { reason: "SUBSTITUTION", from: exchanged === 1 ? "balanced" : "strict" };
  }
  const restricting = [
    ...leftOver.filter((item) => isRestricting(item, left.items, lexicon)),
    ...rightOver.filter((item) => isRestricting(item, right.items, lexicon)),
  ];
  const isDetail = leftOver.length + rightOver.length === 1 && equalContent(left, alignment) >= MIN_DETAILED;
  const replaces = (leftOver.length === 0 ? alignment.left : alignment.right).some(isWord);
  return {
    reason: replaces ? "SUBSTITUTION" : "SPECIFICITY",
    from: restricting.length === 0 || isDetail ? "strict" : "balanced",
  };
}
