import type { PromptAnalysis, PromptItem } from "./analysis.ts";
import { type Alignment, alignItems, isUnit } from "./guard-align.ts";
import { compareContent, contentOf, isLight, isWord } from "./guard-content.ts";
import { compareNotation, differInWriting } from "./guard-notation.ts";
import { areAntonyms, areOpposite } from "./guard-opposites.ts";
import { compareOrder } from "./guard-order.ts";
import { compareQuestions, GENERIC_QUESTION } from "./guard-questions.ts";
import {
  compareStrictness,
  type GuardStrictness,
  type RefusingStrictness,
  refusesFrom,
} from "./guard-strictness.ts";
import type { Lexicon } from "./lexicon.ts";

/** Why an answer stored for one prompt must not serve another. Reasons are part of the API. */
export type GuardReason =
  /** A number (or version) differs or is on one side only. */
  | "NUMBER"
  /** The same number in another unit or currency. */
  | "UNIT"
  /** A date, day or time of day differs or is on one side only. */
  | "DATE"
  /** A negation is in one prompt only, or denies another part. */
  | "NEGATION"
  /** A word is aligned with its opposite. */
  | "ANTONYM"
  /** The operands of from and to, before and after, or of a comparison are exchanged. */
  | "DIRECTION"
  /** A name differs or is on one side only. */
  | "ENTITY"
  /** A piece of code, identifier, flag, sign or quoted text differs, even if only in case or white space. */
  | "CODE"
  /** Quantifiers such as all, only, most, always differ. */
  | "QUANTIFIER"
  /** Should, must, past, future or a condition on one side only. */
  | "MODALITY"
  /** The same words in an order that changes who does what. */
  | "ORDER"
  /** I, you, he and she differ or are exchanged. */
  | "ROLE"
  /** The question words differ: when, where, who, why, how much. */
  | "QUESTION"
  /** Policy: one prompt has more content words than the other. */
  | "SPECIFICITY"
  /** Policy: one or two words replaced in an otherwise equal prompt. */
  | "SUBSTITUTION"
  /** Words differ in a language or script without rules, or the languages differ. */
  | "LANGUAGE"
  /** A prompt was too long to be analysed, or the analyses are of two versions; only equal ones pass. */
  | "INCOMPARABLE";

/** A reason against serving, and the loosest strictness that refuses for it. */
export interface GuardConflict {
  readonly reason: GuardReason;
  readonly from: RefusingStrictness;
}

/** What two prompts differ in. Independent of the strictness: {@link reasonsAt} applies one. */
export interface GuardVerdict {
  /** Each reason once, sorted. None: the answer may be served at every strictness. */
  readonly conflicts: readonly GuardConflict[];
  /** Each content word has an equivalent on the other side, and there is no conflict. */
  readonly aligned: boolean;
}

/** The reasons for which `strictness` refuses, sorted. None: the answer may be served. A stricter one has all of a looser. */
export function reasonsAt({ conflicts }: GuardVerdict, strictness: GuardStrictness): readonly GuardReason[] {
  return conflicts.filter(({ from }) => refusesFrom(from, strictness)).map(({ reason }) => reason);
}

const ACCEPTED: GuardVerdict = { conflicts: [], aligned: true };
const INCOMPARABLE: GuardVerdict = {
  conflicts: [{ reason: "INCOMPARABLE", from: "closed" }],
  aligned: false,
};
const LEFTOVER_REASONS = {
  number: "NUMBER",
  date: "DATE",
  code: "CODE",
  name: "ENTITY",
  foreign: "LANGUAGE",
} as const satisfies Partial<Record<PromptItem["kind"], GuardReason>>;

// With at most so many unmatched words a side prompts are near: then order, tense and mood are evidence. In a free
// paraphrase they vary without a change of meaning, and refusing would lose most paraphrases.
const MAX_NEAR = 1;
/** At most so many unmatched words a side: an opposite, or a negation on one side, is no accident of rewording. */
const MAX_OPPOSED = 2;

/**
 * Compares the prompt of a lookup with that of a stored answer. Symmetric; equal analyses are accepted. It refuses in
 * doubt, and has no semantic knowledge: a paraphrase with one changed fact in words that it cannot align gets no reason
 * but is not `aligned`, and the similarity threshold decides.
 */
export function guardPrompts(asked: PromptAnalysis, stored: PromptAnalysis, lexicon: Lexicon): GuardVerdict {
  if (asked.version !== stored.version || asked.digest !== stored.digest) return INCOMPARABLE;
  // Alignment is greedy: one fixed order of the two makes the verdict symmetric.
  const order = compareTexts(asked.items, stored.items) || compareWhole(asked, stored);
  if (order === 0) return ACCEPTED;
  return order < 0 ? compare(asked, stored, lexicon) : compare(stored, asked, lexicon);
}

// Almost all pairs differ in an early item, which is far cheaper than writing both out.
function compareTexts(left: readonly PromptItem[], right: readonly PromptItem[]): number {
  if (left.length !== right.length) return left.length - right.length;
  for (const [at, { text }] of left.entries()) {
    const other = right[at]?.text ?? "";
    if (text !== other) return text < other ? -1 : 1;
  }
  return 0;
}

function compareWhole(left: PromptAnalysis, right: PromptAnalysis): number {
  const [one, other] = [JSON.stringify(left), JSON.stringify(right)];
  if (one === other) return 0;
  return one < other ? -1 : 1;
}

function compare(left: PromptAnalysis, right: PromptAnalysis, lexicon: Lexicon): GuardVerdict {
  const reasons = new Conflicts();
  for (const reason of compareNotation(left.notation, right.notation)) reasons.add(reason);
  if (differInWriting(left.writing, right.writing)) reasons.add("CODE");
  const alignment = alignItems(left.items, right.items, lexicon);
  if (left.language !== right.language && !isEqualText(left, right)) reasons.add("LANGUAGE");
  addLeftoverReasons(alignment.left, alignment.right, reasons);
  const turned = addDenialReasons(left, right, alignment, lexicon, reasons);
  const [leftOver, rightOver] = contentOf(alignment.left, alignment.right).map((items) =>
    items.filter((item) => !turned.includes(item)),
  ) as [PromptItem[], PromptItem[]];
  const complete = leftOver.length + rightOver.length === 0;
  const near = Math.max(leftOver.length, rightOver.length) <= Math.min(MAX_NEAR, alignment.pairs.length);
  // "cp a b" and "cp ab": the space is what differs.
  if (!complete && left.writing.letters === right.writing.letters) reasons.add("CODE");
  // What a free paraphrase varies is evidence in prompts of the same words alone.
  const evidence = complete ? "closed" : "strict";
  const isGeneric = [left, right].every(({ question }) => GENERIC_QUESTION.test(question));
  addRoleReason(alignment.left, alignment.right, near, isGeneric, reasons);
  addQuantifierReason(left.quantifiers, right.quantifiers, near, evidence, reasons);
  if (near) addModalityReason(left.modality, right.modality, evidence, reasons);
  const order = compareOrder(left.items, right.items, orderedPairs(left, alignment.pairs), near);
  if (order !== undefined) {
    const from = near ? "closed" : "balanced";
    reasons.add(order.reason, order.isExplicit ? from : evidence);
  }
  const question = compareQuestions(left.question, right.question);
  if (question !== "same" && question !== "open") reasons.add("QUESTION", complete ? question : "strict");
  if (!complete && reasons.isEmptyAt("balanced")) {
    const content = compareContent([left, right], [leftOver, rightOver], alignment, lexicon);
    if (content !== undefined) reasons.add(content.reason, content.from);
  }
  const aligned = reasons.size === 0 && complete && !alignment.isLoose && question === "same";
  return { conflicts: reasons.sorted(), aligned };
}

function isEqualText(left: PromptAnalysis, right: PromptAnalysis): boolean {
  return (
    left.items.length === right.items.length &&
    left.items.every((item, at) => item.text === right.items[at]?.text)
  );
}

/** The reasons found so far, each with the loosest strictness that refuses for it. */
class Conflicts {
  readonly #from = new Map<GuardReason, RefusingStrictness>();

  get size(): number {
    return this.#from.size;
  }

  isEmptyAt(strictness: RefusingStrictness): boolean {
    return [...this.#from.values()].every((from) => compareStrictness(from, strictness) > 0);
  }

  add(reason: GuardReason, from: RefusingStrictness = "closed"): void {
    const known = this.#from.get(reason);
    if (known === undefined || compareStrictness(from, known) < 0) this.#from.set(reason, from);
  }

  sorted(): GuardConflict[] {
    return [...this.#from.keys()]
      .sort()
      .map((reason) => ({ reason, from: this.#from.get(reason) ?? "closed" }));
  }
}

function addLeftoverReasons(
  left: readonly PromptItem[],
  right: readonly PromptItem[],
  reasons: Conflicts,
): void {
  for (const [items, others] of [
    [left, right],
    [right, left],
  ] as const) {
    for (const item of items) {
      if (item.kind === "pronoun") continue;
      if (item.kind === "word") {
        if (isUnit(item.text) && others.some(({ kind, text }) => kind === "word" && isUnit(text)))
          reasons.add("UNIT");
        continue;
      }
      const sameValue = (other: PromptItem): boolean => other.kind === "number" && other.stem === item.stem;
      if (item.kind === "number" && others.some(sameValue)) reasons.add("UNIT");
      else if (item.kind === "code" && /^v?[0-9]+(?:\.[0-9]+)*$/.test(item.text)) reasons.add("NUMBER");
      else reasons.add(LEFTOVER_REASONS[item.kind]);
    }
  }
}

/** "My limit" against "your limit", "call me" against "call you"; a person on one side only is no evidence. */
function addRoleReason(
  left: readonly PromptItem[],
  right: readonly PromptItem[],
  near: boolean,
  isGeneric: boolean,
  reasons: Conflicts,
): void {
  const persons = (items: readonly PromptItem[], owners: boolean): PromptItem[] =>
    items.filter((item) => item.kind === "pronoun" && item.text.endsWith("'s") === owners);
  const differ = (owners: boolean): boolean =>
    persons(left, owners).length > 0 && persons(right, owners).length > 0;
  if (differ(true)) reasons.add("ROLE", near ? "closed" : "balanced");
  // Subject and object pronouns vary freely in a paraphrase; possessives do not.
  const isAnybody = ({ text }: PromptItem): boolean => text === "1" || text === "2";
  const anybody = isGeneric && [left, right].every((items) => persons(items, false).every(isAnybody));
  if (near && differ(false)) reasons.add("ROLE", anybody ? "strict" : "closed");
}

/**
 * Negations and opposites. "Not allowed" is "forbidden": one pair of opposites cancels one negation. Returns the words
 * that this explains.
 */
function addDenialReasons(
  left: PromptAnalysis,
  right: PromptAnalysis,
  alignment: Alignment,
  lexicon: Lexicon,
  reasons: Conflicts,
): readonly PromptItem[] {
  const [leftWords, rightWords] = [alignment.left.filter(isWord), alignment.right.filter(isWord)];
  const near = Math.max(leftWords.length, rightWords.length) <= MAX_OPPOSED;
  const isOpposite = (one: PromptItem, other: PromptItem): boolean =>
    areOpposite(one, other) || lexicon.relation(one.text, other.text) === "antonym";
  const opposites = leftWords.flatMap((one) =>
    rightWords.filter((other) => isOpposite(one, other)).map((other) => [one, other]),
  );
  const differ = (left.negations.length - right.negations.length) % 2 !== 0;
  const particles = opposedParticles(left.particles, right.particles);
  if (particles) reasons.add("ANTONYM");
  if (opposites.length === 1 && differ && !particles) return opposites.flat();
  if (opposites.length > 0) reasons.add("ANTONYM", near ? "closed" : "balanced");
  else if (differ) reasons.add("NEGATION", near && denies(left, right) ? "closed" : "balanced");
  else if (!deniesSame(left, right)) reasons.add("NEGATION", near ? "closed" : "strict");
  return [];
}

/** Whether one prompt denies what the other says; denying something else may be another way to say it. */
function denies(left: PromptAnalysis, right: PromptAnalysis): boolean {
  const isSaid = (stem: string, { items, negations }: PromptAnalysis): boolean =>
    !negations.includes(stem) && (stem === "" || items.some((item) => item.stem === stem));
  return (
    left.negations.some((stem) => isSaid(stem, right)) || right.negations.some((stem) => isSaid(stem, left))
  );
}

function deniesSame(left: PromptAnalysis, right: PromptAnalysis): boolean {
  if (left.negations.length !== right.negations.length) return true;
  const [one, other] = [new Set(left.negations), new Set(right.negations)];
  if (one.has("") || other.has("")) return true;
  // Only words in both prompts show that another one is denied.
  const moved = (stem: string, denied: ReadonlySet<string>, items: readonly PromptItem[]): boolean =>
    !denied.has(stem) && items.some((item) => item.stem === stem);
  return (
    ![...one].some((stem) => moved(stem, other, right.items)) ||
    ![...other].some((stem) => moved(stem, one, left.items))
  );
}

function opposedParticles(left: readonly string[], right: readonly string[]): boolean {
  const [one, other] = [without(left, right), without(right, left)];
  return one.some((particle) => other.some((counterpart) => areAntonyms(particle, counterpart)));
}

function without(words: readonly string[], removed: readonly string[]): string[] {
  const rest = [...words];
  for (const word of removed) {
    const at = rest.indexOf(word);
    if (at >= 0) rest.splice(at, 1);
  }
  return rest;
}

function addQuantifierReason(
  left: readonly string[],
  right: readonly string[],
  near: boolean,
  evidence: RefusingStrictness,
  reasons: Conflicts,
): void {
  const [one, other] = [new Set(left), new Set(right)];
  const missing = left.some((word) => !other.has(word));
  const added = right.some((word) => !one.has(word));
  if (missing && added) reasons.add("QUANTIFIER", near ? "closed" : "balanced");
  else if (near && (missing || added)) reasons.add("QUANTIFIER", evidence);
}

function addModalityReason(
  left: readonly string[],
  right: readonly string[],
  evidence: RefusingStrictness,
  reasons: Conflicts,
): void {
  const [one, other] = [new Set(left), new Set(right)];
  if (["if", "should", "must", "future"].some((mode) => one.has(mode) !== other.has(mode)))
    reasons.add("MODALITY", evidence);
  if (isPastAgainstPresent(one, other) || isPastAgainstPresent(other, one)) reasons.add("MODALITY", evidence);
}

// "Have you shipped it" and "did you ship it" ask the same; without an auxiliary the tense is often unknown.
function isPastAgainstPresent(past: ReadonlySet<string>, present: ReadonlySet<string>): boolean {
  const onlyPast = past.has("past") && !past.has("present");
  return onlyPast && present.has("present") && !present.has("past") && !present.has("perfect");
}

/** Pronouns, which have their case, and words without content take no part in the order. */
function orderedPairs<Pair extends { left: number }>(left: PromptAnalysis, pairs: readonly Pair[]): Pair[] {
  return pairs.filter((pair) => {
    const item = left.items[pair.left];
    return item !== undefined && item.kind !== "pronoun" && !isLight(item);
  });
}
