import { createHash } from "node:crypto";
import { withoutCourtesy, withPhrases } from "./analysis-courtesy.ts";
import { analyzeEnglish } from "./analysis-english.ts";
import { readNumbers } from "./analysis-numbers.ts";
import { END_OF_TEXT, MAX_CHARACTERS, normalizeText, type Token, tokenize } from "./analysis-tokens.ts";
import { ENGLISH_WORDS, FOREIGN_WORDS } from "./analysis-words.ts";
import { type Notation, readWritten, type Written } from "./notation.ts";
import { spaceCalculations } from "./notation-fold.ts";
import type { Writing } from "./notation-writing.ts";

/** Increment with every change of the content of an analysis: analyses of two versions cannot be compared. */
export const ANALYSIS_VERSION = 5;

/** Tokens analysed; a longer prompt is compared as a whole, so that hostile texts cost bounded work. */
export const MAX_TOKENS = 512;

/** The class of an item. `foreign` is a word that is exempt from English rules: it is compared literally. */
export type ItemKind = "word" | "name" | "number" | "date" | "code" | "pronoun" | "foreign";

/** One content word of a prompt, in the order of an active sentence. */
export interface PromptItem {
  readonly kind: ItemKind;
  /** Canonical spelling: "5 km" of "five kilometres", "2024-3-5", the person of a pronoun. */
  readonly text: string;
  /** The common part of related forms: the stem of a word, the value of a number without its unit. */
  readonly stem: string;
  /** The word that governs it ("from", "if", "of"), empty in the main clause. */
  readonly after: string;
  /** Position; members of one "A, B and C" share it, because their order is irrelevant. */
  readonly slot: number;
  /** Whether "and", "or" or a similar word is directly before it. */
  readonly joined: boolean;
}

/** The input of the guard: plain data, stored with a cache entry. Compare only with the same `version`. */
export interface PromptAnalysis {
  readonly version: number;
  /** Empty, or the hash of a prompt too long to be analysed, which then matches only an equal prompt. */
  readonly digest: string;
  /** `other` switches every language-specific rule off: items are compared as written and in order. */
  readonly language: "en" | "other";
  readonly items: readonly PromptItem[];
  /** Up, down, on, off …: only their opposites count. */
  readonly particles: readonly string[];
  /** One entry for each negation: the denied stem, or empty when that is not certain. */
  readonly negations: readonly string[];
  readonly quantifiers: readonly string[];
  /** "can", "should", "must", "if", "past", "perfect", "present", "future"; sorted, each once. */
  readonly modality: readonly string[];
  /** The question word ("when", "how much"), or empty. */
  readonly question: string;
  /** Pieces of notation, in reading order, which are compared by spelling. See {@link readNotation}. */
  readonly notation: readonly Notation[];
  /** Hashes of the letters and the signs of the whole prompt. See {@link Writing}. */
  readonly writing: Writing;
}

/**
 * Extracts the features of a prompt that decide whether a stored answer may serve it. Pure and total: any string gives
 * an analysis, and equal strings give equal ones. Beyond {@link MAX_TOKENS} it contains only the hash.
 */
export function analyzePrompt(prompt: string): PromptAnalysis {
  return analyze(prompt, withoutCourtesy);
}

/** The same for a statement: no word of it is courtesy or a frame around a question. */
export function analyzeStatement(statement: string): PromptAnalysis {
  return analyze(statement, withPhrases);
}

function analyze(prompt: string, rewrite: typeof withPhrases): PromptAnalysis {
  if (prompt.length > MAX_CHARACTERS) return unanalyzed(prompt);
  const text = spaceCalculations(prompt);
  const normal = normalizeText(text);
  // Compatibility forms can multiply the length of a text.
  if (normal.length > MAX_CHARACTERS) return unanalyzed(prompt);
  const tokens = tokenize(normal);
  if (tokens.length > MAX_TOKENS) return unanalyzed(prompt);
  const written = readWritten(text);
  if (!isEnglish(tokens)) return analyzeOther(tokens, written);
  const rewritten = [...rewrite(readNumbers([...tokens, END_OF_TEXT])), END_OF_TEXT];
  return {
    version: ANALYSIS_VERSION,
    digest: "",
    language: "en",
    ...analyzeEnglish(tokens, rewritten),
    ...written,
  };
}

function unanalyzed(text: string): PromptAnalysis {
  // UTF-16 code units, so that lone surrogates differ too.
  const digest = createHash("sha256").update(Buffer.from(text, "utf16le")).digest("base64url");
  return { ...analyzeOther([], { notation: [], writing: { letters: "", marks: "" } }), digest };
}

function isEnglish(tokens: readonly Token[]): boolean {
  let english = 0;
  let foreign = 0;
  let accented = false;
  for (const { kind, text } of tokens) {
    if (kind === "foreign") foreign++;
    if (kind !== "word") continue;
    if (ENGLISH_WORDS.has(text)) english++;
    else if (FOREIGN_WORDS.has(text)) foreign++;
    if (!/^[a-z']*$/.test(text)) accented = true;
  }
  return foreign <= english && !(accented && english === 0);
}

function analyzeOther(tokens: readonly Token[], written: Written): PromptAnalysis {
  const items: PromptItem[] = [];
  for (const token of tokens) {
    if (token.kind === "pause" || token.kind === "stop") continue;
    const text = token.unit === "" ? token.text : `${token.text} ${token.unit}`;
    const kind = token.kind === "word" ? "foreign" : token.kind;
    items.push({ kind, text, stem: token.text, after: "", slot: items.length, joined: false });
  }
  return {
    version: ANALYSIS_VERSION,
    digest: "",
    language: "other",
    items,
    particles: [],
    negations: [],
    quantifiers: [],
    modality: [],
    question: "",
    ...written,
  };
}
