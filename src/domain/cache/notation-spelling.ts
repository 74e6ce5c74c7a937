import { LANGUAGE_WITH_SIGN } from "./analysis-tokens.ts";
import type { Notation } from "./notation.ts";
import { caseNotation, isKnownWord } from "./notation-case.ts";
import type { Chunk } from "./notation-chunks.ts";
import { caseOf } from "./notation-quotes.ts";
import {
  BRAND_ENDINGS,
  CASE_PAIRS,
  CASED_UNITS,
  DOTTED_ABBREVIATIONS,
  DOTTED_BRANDS,
  HOST_ENDINGS,
  HYPHEN_TELLS,
  IDENTIFIER_NOUNS,
  LITERALS,
  NAMED_NOUNS,
  SENTENCE_OPENERS,
  SMALL_BRANDS,
} from "./notation-words.ts";

const WORD = /^[\p{L}\p{M}]+(?:['-][\p{L}\p{M}]+)*$/u;
const NUMBER = /^[-+]?[$€£¥₹]?[-+]?[0-9][0-9,]*(?:\.[0-9]+)?(?:%|°?[a-z]*|[$€£¥₹]|-[a-z]+)$/i;
const DATE_OR_TIME = /^(?:[0-9]{1,4}[-/.][0-9]{1,2}[-/.][0-9]{1,4}|[0-9]{1,2}:[0-9]{2}(?:am|pm)?)$/i;
const SCIENTIFIC = /^[-+]?[0-9][0-9.,]*e[-+]?[0-9]+$/i;
const SUPERSCRIPT = /[\u00B2\u00B3\u00B9\u2070-\u207F]|[\u2080-\u208E]/;
const AREA = /^[0-9.,]*(?:m|cm|mm|km|dm|ft|in|yd|mi)[²³]$/;
const HUMPS = /\p{Ll}\p{Lu}/u;
const MILLI = /^[0-9.,]*m(?:Hz|W|V|A|J|Pa|Ω)$/;
const BITS_OR_BYTES = /^[0-9.,]*(?:[KMGT]b|[KMGT]Bps)$/;
const UNIT_ASKED = /^(?:many|much|in|into|to|per)$/i;
const MEGAGRAM = /^[0-9.,]*Mg$/;

/** The notation in the spelling of a chunk, without surrounding prose punctuation. */
export function wordNotation(core: string, chunk: Chunk): Notation[] {
  const unit = unitNotation(core, chunk);
  if (unit !== undefined) return [unit];
  if (/^°[CFK]$/i.test(core) && /[0-9]$/.test(chunk.previous)) return [];
  if (SUPERSCRIPT.test(core)) return superscript(core, chunk);
  if (WORD.test(core)) {
    const words = plainWord(core, chunk);
    const symbol = words.some(({ kind }) => kind === "code") ? undefined : caseNotation(core, chunk);
    return symbol === undefined ? words : [...words, symbol];
  }
  if (SCIENTIFIC.test(core)) return [{ kind: "number", text: core.toLowerCase().replace("e+", "e") }];
  if (NUMBER.test(core)) return core.startsWith("+") ? [{ kind: "number", text: core }] : [];
  if (DATE_OR_TIME.test(core)) return [];
  if (/^[\p{L}\p{N}]+(?:-[\p{L}\p{N}]+)*$/u.test(core)) {
    const symbol = caseNotation(core, chunk);
    if (symbol !== undefined) return [symbol];
    const named = isIdentifier(chunk.previous.toLowerCase(), chunk.earlier.toLowerCase());
    return named && core !== core.toLowerCase() ? [{ kind: "code", text: core }] : letterDigits(core);
  }
  if (/^\p{L}+(?:\.\p{L}+)+$/u.test(core)) return dottedName(core);
  if (isProse(core)) return [];
  if (LANGUAGE_WITH_SIGN.test(core)) return [{ kind: "code", text: core.toUpperCase() }];
  return [{ kind: /^[-+]?[0-9][0-9.,:/-]*$/.test(core) ? "number" : "code", text: core }];
}

/** Prefixes and suffixes that differ from another unit in case alone. */
function unitNotation(core: string, { previous, context }: Chunk): Notation | undefined {
  // Who does not care writes "mb" or "MB".
  if (/^[KMGT]b$/.test(core) && UNIT_ASKED.test(previous)) return { kind: "unit", text: core };
  const counted = /^[0-9]/.test(core) || /^[-+$€£]?[0-9][0-9.,]*$/.test(previous);
  if (!counted) return undefined;
  const letters = core.replace(/^[0-9.,]+/, "");
  const tells = letters === "M" || MEGAGRAM.test(core) || MILLI.test(core) || BITS_OR_BYTES.test(core);
  if (tells) return { kind: "unit", text: letters };
  return CASED_UNITS.has(letters.toLowerCase()) ? caseOf(letters, context) : undefined;
}

function plainWord(
  core: string,
  { previous, earlier, next, opens, context, capitalsTell }: Chunk,
): Notation[] {
  const lower = core.toLowerCase();
  if (HYPHEN_TELLS.has(lower)) return [{ kind: "code", text: lower }];
  if (core === lower) return [];
  if (context.capitals && next === "" && /^(?:of|in|for|word|string|letter|encode)$/.test(previous)) {
    return [{ kind: "code", text: core }];
  }
  const before = previous.toLowerCase();
  if (HUMPS.test(core)) {
    const named = context.technical && (IDENTIFIER_NOUNS.has(before) || NAMED_NOUNS.has(before));
    return named && !isKnownWord(lower) ? [{ kind: "code", text: core }] : humps(core, lower);
  }
  if (opens || !capitalsTell) return [];
  if (LITERALS.has(core) && context.technical) return [{ kind: "code", text: core }];
  if (isIdentifier(before, earlier.toLowerCase())) return [{ kind: "code", text: core }];
  if (core.length <= 2 && context.technical && core !== "I" && isKeystroke(before))
    return [{ kind: "code", text: core }];
  return CASE_PAIRS.has(lower) && !/^[0-9]/.test(previous) ? [{ kind: "variant", text: core }] : [];
}

/** "The branch Main", "a column named Id". */
function isIdentifier(before: string, earlier: string): boolean {
  if (IDENTIFIER_NOUNS.has(before)) return true;
  const named = before === "named" || before === "called";
  return named && (IDENTIFIER_NOUNS.has(earlier) || NAMED_NOUNS.has(earlier));
}

/** "What does G do in Vim": a key, not a word of the sentence. */
function isKeystroke(before: string): boolean {
  return (
    before === "does" || before === "press" || before === "key" || before === "type" || before === "command"
  );
}

function humps(core: string, lower: string): Notation[] {
  // "GitHub" is typed in many ways, `getName` only as it is; `UserId` counts against `UserID`.
  const brand = /^\p{Lu}/u.test(core) || SMALL_BRANDS.has(lower);
  return [{ kind: brand ? "variant" : "code", text: core }];
}

function superscript(core: string, { previous }: Chunk): Notation[] {
  // "20 m²" is also written "20 m2".
  if (AREA.test(core) && (/^[0-9]/.test(core) || /^[0-9]/.test(previous))) return [];
  return [{ kind: "code", text: core }];
}

function letterDigits(core: string): Notation[] {
  const lower = core.toLowerCase();
  if (HUMPS.test(core)) return humps(core, lower);
  if (CASE_PAIRS.has(lower.replace(/[0-9]+$/, ""))) return [{ kind: "variant", text: core }];
  // "x-1" and "x1": with one letter before it the hyphen is a minus, in "gpt-4" it is none.
  return /^[k-nx-z]-[0-9]|^[0-9]+-[a-z]$/.test(core) ? [{ kind: "code", text: core }] : [];
}

function dottedName(core: string): Notation[] {
  const lower = core.toLowerCase();
  const parts = lower.split(".");
  // A missing space behind a sentence: "not yet.She".
  const last = parts.at(-1) ?? "";
  const opener = SENTENCE_OPENERS.has(last) && (last.length > 2 || /^(?:i|it|my|we|he)$/.test(last));
  if (opener && (parts[0] ?? "").length > 1) return [];
  if (DOTTED_ABBREVIATIONS.has(lower) || /^(?:\p{Lu}\.)+\p{Lu}$/u.test(core)) return [];
  if (HOST_ENDINGS.has(last) && isHost(core, lower)) return [];
  if (parts.length === 2 && DOTTED_BRANDS.has(parts[0] ?? "") && BRAND_ENDINGS.has(last)) return [];
  return [{ kind: "code", text: core }];
}

/** "Google.com" and "GOOGLE.COM" are hosts, "System.IO" is a name of code. */
function isHost(core: string, lower: string): boolean {
  return (
    core.slice(core.lastIndexOf(".")) === lower.slice(lower.lastIndexOf(".")) || core === core.toUpperCase()
  );
}

/** "and/or", "Q&A", "Hi,Ann", and words of other scripts with their own punctuation. */
function isProse(core: string): boolean {
  if (/^\p{L}{2,}[,;?!]+\p{L}+$/u.test(core)) return true;
  // In "dy/dx" the slash divides.
  if (/^d\p{L}\/d\p{L}$/u.test(core)) return false;
  if (/^\p{L}{2,}(?:['-]\p{L}+)*\/\p{L}{2,}(?:['-]\p{L}+)*$/u.test(core)) return true;
  if (/^w\/o?$/i.test(core) || /^\p{L}+&\p{L}+$/u.test(core)) return true;
  return (
    /^[\p{L}\p{M}\p{N},;:!?.'-]+$/u.test(core) && /[\p{L}--\p{Script=Latin}--\p{Script=Greek}]/v.test(core)
  );
}
