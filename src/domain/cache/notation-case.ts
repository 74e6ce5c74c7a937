import { CONNECTORS, EMPTY_WORDS, KNOWN_NAMES } from "./analysis-words.ts";
import type { Notation } from "./notation.ts";
import type { Chunk } from "./notation-chunks.ts";
import { caseOf } from "./notation-quotes.ts";
import {
  CAPITAL_FUNCTIONS,
  CAPITONYMS,
  FIELD_NOUNS,
  LETTER_NOUNS,
  LOOSE_LETTERS,
  SENTENCE_OPENERS,
  TECHNICAL,
  TYPE_NAMES,
} from "./notation-words.ts";

const LETTER = /^(?:[A-Za-z]|\p{Script=Greek})$/u;
// "hh" and "HH" in a date, "TT" and "tt" of genes; but AA batteries, BB cream, cc, pp. and Roman numerals are typed
// in both cases.
const REPEATED = /^(?:(?!aa|bb|cc|ii|pp|xx)([a-z])\1|y{3,4}|m{3,4}|d{3,4}|s{3})$/i;
// No plain word longer than these is a symbol by its form.
const LONGEST_PLAIN = 4;
// "ii-V-I": chords by their degree. A degree by itself is one behind the word.
const DEGREES = /^[iv]{1,4}(?:-[iv]{1,4})+$/i;
const DEGREE = /^[iv]{1,4}$/i;
// A molecule in SMILES: the letters of organic elements with the digits of at least one ring between them.
const MOLECULE = /^[bcfinops][bcfinops0-9]*$/i;
const RING = /[0-9][a-z]+[0-9]/i;
// "yyyy-MM-dd": letters of a pattern, each part one letter repeated.
const DATE_PATTERN = /^(?:([a-z])\1*)(?:-([a-z])\2*)+$/i;
// "Bxc3" is a bishop's move, "bxc3" a pawn's.
const BISHOP_OR_PAWN = /^b(?:x[ac][1-8]|[ac]x[a-h]?[1-8])/i;
// "N-butyl" is bound to nitrogen, "n-butyl" is not branched; D- and d-, L- and l- likewise.
const DESCRIPTOR = /^[dlnos]-\p{L}+(?:ose|ine|ane|ene|ol|yl\p{L}*|amide|one|acid)$/iu;
const GREEK_SYMBOL = /^(?=.*\p{Script=Greek})(?:\p{Script=Greek}|[a-z0-9]){1,3}$/iu;
// In fields of symbols: "V7", "Dm7b5", "X1".
const LETTERS_AND_DIGITS = /^\p{L}{1,3}[0-9][\p{L}0-9]{0,5}$/u;
// Said of names of code alone: in Go their case is what they are exported by.
const OF_NAMES = /^(?:exported|public|private|reserved|defined|undefined|visible|bound|unbound)[?.,]?$/;
// An identifier directly after one of these words is spelled literally.
const CALLING = /^(?:does|do|is|are|what's|whats|import|explain|call|calling|use|using)$/;
const ARTICLE = /^(?:an?|the|this|my|your|each|every|one)$/;
const SHOUTED = /^\p{Lu}{2,}/u;

/** Whether a lower-case chunk could mean something else in capitals, by its form or position. */
export function hasTellingCase(written: string, previous: string, next: string): boolean {
  const before = previous.toLowerCase();
  if (OF_NAMES.test(next) || CALLING.test(before)) return true;
  const trimmed = written.replace(/[.,]$/, "");
  if (FIELD_NOUNS.has(before) || TYPE_NAMES.has(trimmed) || CAPITONYMS.has(trimmed)) return true;
  return written.length <= LONGEST_PLAIN + 1 && isSymbol(trimmed, before, next);
}

/**
 * A symbol rather than a word: in the other case it is another symbol. It is compared only with that other case, and
 * only when both prompts use capitals equally carefully.
 */
export function caseNotation(
  core: string,
  { previous, earlier, next, opens, context }: Chunk,
): Notation | undefined {
  if (opens || (SHOUTED.test(previous) && SHOUTED.test(earlier))) return undefined;
  const before = previous.toLowerCase();
  // "Aa" is no careless spelling of a symbol.
  if (isMixedPair(core)) return { kind: "code", text: core };
  if (context.technical && OF_NAMES.test(next) && !ARTICLE.test(before)) return caseOf(core, context);
  if (isWordOfTwoCases(core, before, context)) return caseOf(core, context);
  if (context.symbols && LETTERS_AND_DIGITS.test(core)) return caseOf(core, context);
  const named = context.technical && FIELD_NOUNS.has(before) && /^\p{L}+$/u.test(core);
  return named || isSymbol(core, before, next) ? caseOf(core, context) : undefined;
}

/** A capitonym, or a word that in code is an identifier. Behind an article it is a word: "a String" is a string. */
function isWordOfTwoCases(core: string, before: string, { technical }: Chunk["context"]): boolean {
  const lower = core.toLowerCase();
  if (CAPITONYMS.has(lower)) return true;
  const written = core === lower || /^\p{Lu}?[\p{Ll}\d]+(?:\p{Lu}[\p{Ll}\d]*)*$/u.test(core);
  if (!technical || !written || ARTICLE.test(before)) return false;
  return TYPE_NAMES.has(lower) || before === "import" || (CALLING.test(before) && !isKnownWord(lower));
}

function isKnownWord(lower: string): boolean {
  return (
    (TECHNICAL.has(lower) && lower !== "nan") ||
    KNOWN_NAMES.has(lower) ||
    CONNECTORS.has(lower) ||
    EMPTY_WORDS.has(lower) ||
    SENTENCE_OPENERS.has(lower)
  );
}

function isMixedPair(core: string): boolean {
  return core.length === 2 && /^\p{Lu}\p{Ll}$/u.test(core) && core[0] === core[1]?.toUpperCase();
}

function isSymbol(core: string, before: string, next: string): boolean {
  if (core.length > 40) return false;
  const lower = core.toLowerCase();
  if (LETTER.test(core)) return LETTER_NOUNS.has(before) && !LOOSE_LETTERS.has(lower);
  if (CAPITAL_FUNCTIONS.has(lower)) return /^[b-hj-zα-ω][.,?]?$/iu.test(next);
  if (before === "chord" || before === "degree") return DEGREE.test(core);
  if (DATE_PATTERN.test(core) || BISHOP_OR_PAWN.test(core) || DESCRIPTOR.test(core)) return true;
  if (GREEK_SYMBOL.test(core)) return true;
  return REPEATED.test(core) || DEGREES.test(core) || (MOLECULE.test(core) && RING.test(core));
}
