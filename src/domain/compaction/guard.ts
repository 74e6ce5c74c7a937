import type { PromptItem } from "../cache/analysis.ts";
import { stemWord } from "../cache/analysis-stems.ts";
import { AUXILIARIES, CONNECTORS, EMPTY_WORDS, QUANTIFIERS } from "../cache/analysis-words.ts";
import { type GuardReason, guardPrompts } from "../cache/guard.ts";
import { type Alignment, alignItems } from "../cache/guard-align.ts";
import type { Lexicon } from "../cache/lexicon.ts";
import { isRestricting, splitTails } from "./containment.ts";
import { isReordered } from "./order.ts";
import { areLooselyRelated, haveAndBeDiffer, prepositionsDiffer } from "./roles.ts";
import { readStatement, type Statement, sharedStems } from "./statement.ts";

/** Why two texts are no duplicates. */
export type StatementConflict =
  /** The reasons of the guard of the cache, at its strictest. */
  | GuardReason
  /** A word stands behind another preposition: "reports to Ann", "reports on Ann". */
  | "PREPOSITION"
  /** One says what something is, the other what it has. */
  | "VERB"
  /** A particle that changes the verb: "call", "call off". */
  | "PARTICLE"
  /** The words differ, and nothing shows that they say the same. */
  | "WORDING";

/** How two texts relate. CONTAINS: the left one says all that the right one says, and more; CONTAINED: the other way round. */
export type StatementRelation = "EQUAL" | "SAME" | "CONTAINS" | "CONTAINED" | "DIFFERENT";

export interface StatementComparison {
  readonly relation: StatementRelation;
  /** EQUAL, or SAME with the same words in the same order but for spelling, inflection, articles and punctuation. */
  readonly isCertain: boolean;
  /** What the guard found; empty unless DIFFERENT. */
  readonly conflicts: readonly StatementConflict[];
}

const EQUAL: StatementComparison = { relation: "EQUAL", isCertain: true, conflicts: [] };

const OTHER_WORDS: StatementComparison = { relation: "DIFFERENT", isCertain: false, conflicts: ["WORDING"] };

/** Texts of one meaning share at least so many of their words, and one that contains the other nearly all. */
const MIN_SHARED = 0.4;
const MIN_CONTAINED = 0.7;

/** A longer text is a document, and not a statement with an addition. */
const MAX_FULLER = 2_000;

/** Adverbs that change nothing that is remembered. "Just", "only", "still" and "again" do. */
const FREE_WORDS = new Set(
  "really very quite actually basically simply currently now also too please".split(" "),
);

/** What holds for what is contained as well, or what a containing text may add. */
const OF_ADDITIONS = new Set<GuardReason>(["SPECIFICITY"]);

/**
 * Whether two texts say the same, or one contains the other. Symmetric, but for the sides of CONTAINS. In doubt DIFFERENT:
 * a wrong merge costs far more than a missed one. Two texts that both say something of their own are DIFFERENT.
 */
export function compareStatements(left: Statement, right: Statement, lexicon: Lexicon): StatementComparison {
  if (left.normalized === right.normalized) return EQUAL;
  // Other words: far cheaper than to align them, and true of most neighbours.
  const shared = sharedStems(left, right);
  if (shared < MIN_SHARED) return OTHER_WORDS;
  const whole = compareWhole(left, right, lexicon);
  if (shared < MIN_CONTAINED && whole.relation === "DIFFERENT") return whole;
  if (whole.relation !== "DIFFERENT") return whole;
  if (isContained(right, left, lexicon)) return { relation: "CONTAINS", isCertain: false, conflicts: [] };
  if (isContained(left, right, lexicon)) return { relation: "CONTAINED", isCertain: false, conflicts: [] };
  return whole;
}

/** EQUAL, SAME or DIFFERENT. */
function compareWhole(left: Statement, right: Statement, lexicon: Lexicon): StatementComparison {
  const alignment = withoutFree(
    alignItems(left.analysis.items, right.analysis.items, lexicon),
    left.analysis.items,
  );
  const conflicts = findConflicts(left, right, alignment, lexicon);
  if (conflicts.length > 0) return { relation: "DIFFERENT", isCertain: false, conflicts };
  return { relation: "SAME", isCertain: areSameWords(left, right, alignment), conflicts: [] };
}

/** The alignment without words that say nothing. */
function withoutFree(alignment: Alignment, items: readonly PromptItem[]): Alignment {
  const says = ({ text }: PromptItem): boolean => !FREE_WORDS.has(text);
  return {
    ...alignment,
    pairs: alignment.pairs.filter((pair) => !FREE_WORDS.has(items[pair.left]?.text ?? "")),
    left: alignment.left.filter(says),
    right: alignment.right.filter(says),
  };
}

function findConflicts(
  left: Statement,
  right: Statement,
  alignment: Alignment,
  lexicon: Lexicon,
): StatementConflict[] {
  const verdict = guardPrompts(left.analysis, right.analysis, lexicon);
  const found = new Set<StatementConflict>();
  for (const { reason } of verdict.conflicts) if (!OF_ADDITIONS.has(reason)) found.add(reason);
  // The order of prompts of the same words is evidence; that of statements may be free.
  if (isComplete(alignment)) {
    found.delete("ORDER");
    if (isReordered(left, right, alignment.pairs, lexicon)) found.add("ORDER");
    else found.delete("DIRECTION");
  }
  if (left.analysis.language !== right.analysis.language) found.add("LANGUAGE");
  if (left.analysis.language === "other" && !areSameItems(left, right)) found.add("LANGUAGE");
  // The guard of prompts lets quantifiers and modes vary in a paraphrase.
  if (!isEqualList(quantified(left), quantified(right))) found.add("QUANTIFIER");
  if (left.analysis.negations.length !== right.analysis.negations.length) found.add("NEGATION");
  if (modes(left) !== modes(right)) found.add("MODALITY");
  if (particles(left) !== particles(right)) found.add("PARTICLE");
  if (prepositionsDiffer(left.analysis.items, right.analysis.items, alignment.pairs, lexicon))
    found.add("PREPOSITION");
  if (haveAndBeDiffer(left, right, alignment)) found.add("VERB");
  const { left: over, right: otherOver } = alignment;
  if (!isOwnerOnOneSide(over, otherOver) && over.length + otherOver.length > 0 && found.size === 0)
    found.add(over.length > 0 && otherOver.length > 0 ? "WORDING" : "SPECIFICITY");
  const { pairs } = alignment;
  if (areLooselyRelated(left.analysis.items, right.analysis.items, pairs, lexicon)) found.add("WORDING");
  if (alignment.isLoose && found.size === 0) found.add("WORDING");
  return [...found].sort();
}

function isComplete({ left, right }: Alignment): boolean {
  return left.length + right.length === 0;
}

/** "Had his appendix removed" against "had the appendix removed". */
function isOwnerOnOneSide(left: readonly PromptItem[], right: readonly PromptItem[]): boolean {
  const all = [...left, ...right];
  return all.length === 1 && all[0]?.kind === "pronoun" && all[0].text.endsWith("'s");
}

/** Modes without tenses, of which a statement without auxiliary has none. */
function modes({ analysis }: Statement): string {
  return analysis.modality.filter((mode) => /^(?:can|should|must|if|future)$/.test(mode)).join(" ");
}

/** Particles that are no prepositions. */
function particles({ analysis }: Statement): string {
  return analysis.particles.filter((word) => /^(?:up|down|off|out)$/.test(word)).join(" ");
}

/** Each quantifier with the word that it counts, or at the end with the word before it: "only admins", "on Fridays only". */
function quantified({ words }: Statement): readonly string[] {
  const isContent = (word: string): boolean =>
    ![EMPTY_WORDS, CONNECTORS, AUXILIARIES, QUANTIFIERS].some((list) => list.has(word));
  return words
    .flatMap((word, at) => {
      const quantifier = QUANTIFIERS.get(word);
      if (quantifier === undefined) return [];
      const counted = words.slice(at + 1).find(isContent) ?? words.slice(0, at).findLast(isContent) ?? "";
      return [`${quantifier} ${stemWord(counted)}`];
    })
    .sort();
}

function isEqualList(one: readonly string[], other: readonly string[]): boolean {
  return one.length === other.length && one.every((value, at) => value === other[at]);
}

function areSameItems(left: Statement, right: Statement): boolean {
  const [one, other] = [left.analysis.items, right.analysis.items];
  return (
    one.length === other.length &&
    one.every(({ text, kind }, at) => text === other[at]?.text && kind === other[at]?.kind)
  );
}

function areSameWords(left: Statement, right: Statement, alignment: Alignment): boolean {
  const { pairs, related } = alignment;
  const [one, other] = [left.analysis.items, right.analysis.items];
  return (
    related === 0 &&
    one.length === other.length &&
    pairs.length === one.length &&
    pairs.every((pair, at) => pair.right === at && one[pair.left]?.after === other[pair.right]?.after)
  );
}

/** Whether `fuller` is `shorter` with an addition behind it that restricts nothing. */
function isContained(shorter: Statement, fuller: Statement, lexicon: Lexicon): boolean {
  if (fuller.text.length <= shorter.text.length || fuller.text.length > MAX_FULLER) return false;
  for (const { head, tail } of splitTails(fuller.text)) {
    if (isRestricting(tail)) continue;
    // Texts of so different lengths are not the same, and this costs nothing.
    if (Math.abs(head.length - shorter.text.length) > Math.max(head.length, shorter.text.length) / 3)
      continue;
    const statement = readStatement(head, lexicon);
    if (statement.normalized === shorter.normalized) return true;
    if (sharedStems(statement, shorter) < MIN_CONTAINED) continue;
    const comparison = compareWhole(statement, shorter, lexicon);
    if (comparison.relation === "SAME") return true;
  }
  return false;
}
