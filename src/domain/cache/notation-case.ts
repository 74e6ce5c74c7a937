import { CONNECTORS, EMPTY_WORDS, KNOWN_NAMES } from "./analysis-words.ts";
import type { Notation, WritingContext } from "./notation.ts";
import type { Chunk } from "./notation-chunks.ts";
import { caseOf } from "./notation-quotes.ts";
import {
  CAPITAL_FUNCTIONS,
  CAPITONYMS,
  COMPOUND_ENDS,
  DECLARING,
  EXACT_TASKS,
  FIELD_NOUNS,
  HOLDING_NOUNS,
  LETTER_NOUNS,
  LOOSE_LETTERS,
  SENTENCE_OPENERS,
  SERIES_NOUNS,
  TECHNICAL,
  TECHNICAL_AFTER_IN,
  TYPE_NAMES,
  TYPE_SYMBOLS,
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
const OF_NAMES =
  /^(?:exported|public|private|reserved|defined|undefined|visible|bound|unbound|unset|contain|hold|store|expand)[?.,]?$/;
// What code names, bare behind one of these, is named as it is spelled.
const CALLING = /^(?:does|do|is|are|what's|whats|import|explain|call|calling|use|using)$/;
const ARTICLE = /^(?:an?|the|this|my|your|each|every|one)$/;
// Paths stand behind these, and most file systems tell their cases apart.
const PATH_COMMAND = /^(?:cd|ls|rm|mv|cp|mkdir|rmdir|touch|chmod|chown|scp)$/;
// "{{ name }}", "<%= name %>", "${ name }".
const TEMPLATE = /^(?:[$#]?\{{1,2}|\{%|<%=?)$/;
const WORD = /^\p{L}+$/u;
// Beside code these words are what they are only in their own spelling.
const CODE_LITERAL = /^(?:nan|undefined|nil|printf)$/;
// "The column Order" names it, behind "a column" stands the rest of a compound.
const DEFINITE = /^(?:the|this|that|my|our)$/;
const SHOUTED = /^\p{Lu}{2,}/u;

/** Whether a chunk in small letters alone could be another thing in capitals, by its form or its place. */
export function hasTellingCase(
  written: string,
  { previous, earlier, next }: Pick<Chunk, "previous" | "earlier" | "next">,
): boolean {
  const before = previous.toLowerCase();
  if (OF_NAMES.test(next) || CALLING.test(before) || DECLARING.has(before) || TEMPLATE.test(before))
    return true;
  if (isPath(before, earlier) || isNamed(before, earlier) || isImported(before, next)) return true;
  const trimmed = written.replace(/[.,]$/, "");
  if (FIELD_NOUNS.has(before) || TYPE_NAMES.has(trimmed) || CAPITONYMS.has(trimmed)) return true;
  if (LETTER.test(trimmed)) return true;
  return written.length <= LONGEST_PLAIN + 1 && isSymbol(trimmed, before, next);
}

/**
 * A symbol rather than a word: in the other case it is another symbol. It is compared only with that other case, and
 * only when both prompts use capitals equally carefully.
 */
export function caseNotation(core: string, chunk: Chunk): Notation | undefined {
  const { previous, earlier, opens, context } = chunk;
  if (opens || (SHOUTED.test(previous) && SHOUTED.test(earlier))) return undefined;
  // "Aa" is none of the careless ways to write it.
  if (isMixedPair(core)) return { kind: "code", text: core };
  const before = previous.toLowerCase();
  const tells =
    (WORD.test(core) && isNamedByPlace(core, before, chunk)) || isNamedByForm(core, before, chunk);
  return tells ? caseOf(core, context) : undefined;
}

/** A word that is a name for what stands around it. */
function isNamedByPlace(core: string, before: string, { earlier, next, context }: Chunk): boolean {
  if (isPath(before, earlier) || TEMPLATE.test(before) || isImported(before, next)) return true;
  // "Is Level a palindrome?" asks of a word letter by letter.
  const asked = context.exact && /^(?:is|are)$/.test(before) && core.length > 2;
  if (asked && !isKnownWord(core.toLowerCase()) && !EXACT_TASKS.has(core.toLowerCase())) return true;
  if (!context.technical) return false;
  if (OF_NAMES.test(next) && !ARTICLE.test(before)) return true;
  return FIELD_NOUNS.has(before) || (isNamed(before, earlier) && isNameOfCode(core));
}

function isNamedByForm(core: string, before: string, { next, context }: Chunk): boolean {
  if (LETTER.test(core)) return isLetterSymbol(core, before, next, context);
  if (isWordOfTwoCases(core, before, context)) return true;
  return (context.symbols && LETTERS_AND_DIGITS.test(core)) || isSymbol(core, before, next);
}

/** A capitonym, or a word that in code is an identifier. Behind an article it is a word: "a String" is a string. */
function isWordOfTwoCases(core: string, before: string, { technical }: Chunk["context"]): boolean {
  const lower = core.toLowerCase();
  if (CAPITONYMS.has(lower)) return true;
  const written = core === lower || /^\p{Lu}?[\p{Ll}\d]+(?:\p{Lu}[\p{Ll}\d]*)*$/u.test(core);
  if (technical && (TYPE_SYMBOLS.has(lower) || (DECLARING.has(before) && !isKnownWord(lower)))) return true;
  if (!technical || !written || ARTICLE.test(before)) return false;
  if (TYPE_NAMES.has(lower) || before === "import") return true;
  return CALLING.test(before) && !isKnownWord(lower);
}

/** "cd Documents", "cd into Documents". */
function isPath(before: string, earlier: string): boolean {
  return PATH_COMMAND.test(before) || (/^(?:into|to)$/.test(before) && PATH_COMMAND.test(earlier));
}

/** "from react import x". */
function isImported(before: string, next: string): boolean {
  return before === "from" && next === "import";
}

function isNameOfCode(core: string): boolean {
  const lower = core.toLowerCase();
  return !TECHNICAL.has(lower) && !KNOWN_NAMES.has(lower) && !COMPOUND_ENDS.has(lower);
}

/** "The column Order", "the C type FILE". */
function isNamed(before: string, earlier: string): boolean {
  const lower = earlier.toLowerCase();
  const definite = DEFINITE.test(lower) || TECHNICAL.has(lower) || TECHNICAL_AFTER_IN.has(lower);
  return HOLDING_NOUNS.has(before) && definite;
}

/** A single letter that is a quantity, a key or a variable, not a member of a series. */
function isLetterSymbol(core: string, before: string, next: string, context: WritingContext): boolean {
  if (LOOSE_LETTERS.has(core.toLowerCase())) return false;
  if (LETTER_NOUNS.has(before)) return true;
  if (SERIES_NOUNS.has(before)) return false;
  if (/^[=<>≤≥≠]/.test(next)) return true;
  // In code all but names of languages.
  return context.symbols || (context.technical && !TECHNICAL_AFTER_IN.has(core.toLowerCase()));
}

/** A name of a language, a product or a thing of the trade, or a small word: typed in any case. */
export function isKnownWord(lower: string): boolean {
  return (
    (TECHNICAL.has(lower) && !CODE_LITERAL.test(lower)) ||
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
  if (CAPITAL_FUNCTIONS.has(lower)) return /^[b-hj-zα-ω][.,?]?$/iu.test(next);
  if (before === "chord" || before === "degree") return DEGREE.test(core);
  if (DATE_PATTERN.test(core) || BISHOP_OR_PAWN.test(core) || DESCRIPTOR.test(core)) return true;
  if (GREEK_SYMBOL.test(core)) return true;
  return REPEATED.test(core) || DEGREES.test(core) || (MOLECULE.test(core) && RING.test(core));
}
