import type { PromptItem } from "../cache/analysis.ts";
import type { AlignedPair, Alignment } from "../cache/guard-align.ts";
import type { Lexicon } from "../cache/lexicon.ts";
import type { Statement } from "./statement.ts";

/** Prepositions that say the same before most nouns. */
const ALIKE: readonly ReadonlySet<string>[] = [
  "about on regarding",
  "above over",
  "below under",
  "of from",
  "in at",
  "of for",
  "of on",
  "of in",
  "of at",
  "of about",
  "on upon",
  "toward towards to",
  "because since",
].map((words) => new Set(words.split(" ")));

/** A phrase with one of these may become part of a compound: "the fee for a transfer", "the transfer fee". */
const COMPOUNDING = new Set("of for on in at about to from with".split(" "));

/** Before a date these say the same; "by", "until" and "since" do not. */
const AT_DATE = new Set(["", "on", "in", "at", "of", "for"]);

/**
 * Whether an aligned word stands behind a preposition that gives it another role. A preposition on one side alone is that of
 * a compound: the word stands right before its head on the other side.
 */
export function prepositionsDiffer(
  left: readonly PromptItem[],
  right: readonly PromptItem[],
  pairs: readonly AlignedPair[],
  lexicon: Lexicon,
): boolean {
  return pairs.some((pair) => {
    const [one, other] = [left[pair.left], right[pair.right]];
    if (one === undefined || other === undefined || one.after === other.after) return false;
    if (one.kind === "date") return !(AT_DATE.has(one.after) && AT_DATE.has(other.after));
    if (one.after !== "" && other.after !== "")
      return !ALIKE.some((words) => words.has(one.after) && words.has(other.after));
    if (!COMPOUNDING.has(one.after + other.after)) return true;
    // A compound: its words are side by side where there is no preposition.
    const own = one.after === "" ? "left" : "right";
    const across = own === "left" ? "right" : "left";
    return !pairs.some((partner) => {
      const head = left[partner.left];
      if (head === undefined || lexicon.partOfSpeech(head.text) === "verb") return false;
      const distance = partner[across] - pair[across];
      return partner[own] - pair[own] === 1 && (distance === 1 || distance === -1 || distance === -2);
    });
  });
}

const BE = new Set("is are am was were be been being".split(" "));
const HAVE = new Set("has have had having".split(" "));

/**
 * Whether one text says what something is and the other what it has ("is a manager", "has a manager"). Not where the words
 * change with it ("is allergic to", "has an allergy"), or an owner has what it is ("her car is a Skoda").
 */
export function haveAndBeDiffer(left: Statement, right: Statement, alignment: Alignment): boolean {
  const [one, other] = [left, right].map(({ words }) => ({
    be: words.some((word) => BE.has(word)),
    have: words.some((word) => HAVE.has(word)),
  }));
  if (one === undefined || other === undefined) return false;
  const differ = (a: typeof one, b: typeof one): boolean => a.have && !a.be && b.be && !b.have;
  if (alignment.related > 0) return false;
  if (differ(one, other)) return !hasOwner(right);
  return differ(other, one) && !hasOwner(left);
}

function hasOwner({ words, analysis }: Statement): boolean {
  return (
    words.includes("s") || analysis.items.some(({ kind, text }) => kind === "pronoun" && text.endsWith("'s"))
  );
}

/** Two words of one meaning share at least so much of their use: "begin" and "start" 0.5, "work" and "study" 0.05. */
const MIN_OVERLAP = 0.2;
/** Derivations that name who does it. */
const AGENT = /(?:er|or|ist|ee|ian)s?$/;

/**
 * Whether words were aligned as related that are only so in a rare meaning ("work" and "study"), or of which one names who
 * does what the other says ("teaches", "teacher").
 */
export function areLooselyRelated(
  left: readonly PromptItem[],
  right: readonly PromptItem[],
  pairs: readonly AlignedPair[],
  lexicon: Lexicon,
): boolean {
  return pairs.some((pair) => {
    const [one, other] = [left[pair.left], right[pair.right]];
    if (one?.kind !== "word" || other?.kind !== "word" || one.stem === other.stem) return false;
    const relation = lexicon.relation(one.text, other.text);
    if (relation === "synonym") return lexicon.overlap(one.text, other.text) < MIN_OVERLAP;
    if (relation !== "derivation") return false;
    return AGENT.test(one.text) !== AGENT.test(other.text) || one.text.slice(0, 3) !== other.text.slice(0, 3);
  });
}
