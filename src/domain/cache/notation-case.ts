import type { Notation } from "./notation.ts";
import type { Chunk } from "./notation-chunks.ts";
import { caseOf } from "./notation-quotes.ts";
import { CAPITAL_FUNCTIONS, FIELD_NOUNS, LETTER_NOUNS, LOOSE_LETTERS } from "./notation-words.ts";

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
const SHOUTED = /^\p{Lu}{2,}/u;

/** Whether a chunk in small letters alone could be another thing in capitals, by its form or its place. */
export function hasTellingCase(written: string, previous: string, next: string): boolean {
  const before = previous.toLowerCase();
  if (FIELD_NOUNS.has(before)) return true;
  return written.length <= LONGEST_PLAIN + 1 && isSymbol(written.replace(/[.,]$/, ""), before, next);
}

/**
 * A symbol rather than a word: in the other case it is another one. It counts against that other case only, and only
 * in a prompt that is as careful or careless with capitals.
 */
export function caseNotation(
  core: string,
  { previous, earlier, next, opens, context }: Chunk,
): Notation | undefined {
  if (opens || (SHOUTED.test(previous) && SHOUTED.test(earlier))) return undefined;
  const before = previous.toLowerCase();
  // "Aa" is none of the careless ways to write it.
  if (isMixedPair(core)) return { kind: "code", text: core };
  const named = context.technical && FIELD_NOUNS.has(before) && /^\p{L}+$/u.test(core);
  return named || isSymbol(core, before, next) ? caseOf(core, context) : undefined;
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
  return REPEATED.test(core) || DEGREES.test(core) || (MOLECULE.test(core) && RING.test(core));
}
