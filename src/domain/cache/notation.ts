import { readChunks } from "./notation-chunks.ts";
import { foldWriting, withoutEmphasis } from "./notation-fold.ts";
import { takeCodeLines, takeCodeSpans } from "./notation-lines.ts";
import { readEscapedSpaces, takePayload, takeQuotes } from "./notation-quotes.ts";
import {
  ASKING,
  CASE_TASKS,
  EXACT_TASKS,
  NAMED_NOUNS,
  SYMBOL_FIELDS,
  TECHNICAL,
  TECHNICAL_AFTER_IN,
} from "./notation-words.ts";
import { readWriting, type Writing } from "./notation-writing.ts";

/**
 * `variant` is compared only with another spelling of the same letters, `mood` and the `language` of a code block only
 * with another one; the other kinds are compared on their own.
 */
export type NotationKind = "code" | "number" | "unit" | "variant" | "mood" | "language";

/** A non-prose part of a prompt, whose exact spelling changes the meaning. */
export interface Notation {
  readonly kind: NotationKind;
  readonly text: string;
}

/** Context from the words of a prompt. */
export interface WritingContext {
  /** The prompt is about code, markup or a shell: marks are code. */
  readonly technical: boolean;
  /** The prompt is about a field in which letters are symbols. */
  readonly symbols: boolean;
  /** The task processes a text letter by letter: quoted texts are literal. */
  readonly exact: boolean;
  /** The question is about capitals or their effect. */
  readonly capitals: boolean;
  /** The first word is capitalised: lower case elsewhere is significant. */
  readonly proper: boolean;
  /** The first word is a question word. */
  readonly asking: boolean;
}

/** The notation and the writing of a prompt. */
export interface Written {
  readonly notation: readonly Notation[];
  readonly writing: Writing;
}

/** Reads both in one go. Linear in the length of the text. */
export function readWritten(raw: string): Written {
  const folded = foldWriting(raw);
  const context = readContext(folded);
  return { notation: notationOf(folded, context), writing: readWriting(folded, context.technical) };
}

/**
 * Reads the notation in a prompt: operators, signs, exponents, brackets, identifiers, quoted operands, lines of code
 * with their indentation. In reading order; prose gives none, however it is punctuated or capitalised.
 */
export function readNotation(raw: string): readonly Notation[] {
  return readWritten(raw).notation;
}

function notationOf(folded: string, context: WritingContext): Notation[] {
  const found: Notation[] = [];
  let text = takeCodeSpans(folded, found);
  text = takeCodeLines(text, found);
  if (!context.technical) text = withoutEmphasis(text);
  text = takeQuotes(text, context, found);
  readEscapedSpaces(text, found);
  text = takePayload(text, context, found);
  readChunks(text, context, found);
  // Back-ticks around white space alone hold no code.
  return found.filter((piece) => piece.text !== "");
}

const SQL = new Set("SELECT FROM WHERE INSERT UPDATE DELETE JOIN LIKE".split(" "));
const USING = /^(?:in|c|does|with|using)$/;
const WORDS = /[\p{L}\p{N}]+(?:-[\p{L}\p{N}]+)*/gu;

function readContext(text: string): WritingContext {
  let [technical, symbols, exact, capitals] = [false, false, false, false];
  let [previous, capital] = ["", false];
  let first = "";
  for (const word of text.match(WORDS) ?? []) {
    if (first === "") first = word;
    const lower = word.toLowerCase();
    technical ||= TECHNICAL.has(lower) || SQL.has(word);
    technical ||= TECHNICAL_AFTER_IN.has(lower) && (word.length > 3 ? USING : /^(?:in|c)$/).test(previous);
    // "The C type FILE", "a Rust trait"; "go group" is none.
    technical ||= NAMED_NOUNS.has(lower) && TECHNICAL_AFTER_IN.has(previous) && capital;
    symbols ||= SYMBOL_FIELDS.has(lower);
    exact ||= EXACT_TASKS.has(lower);
    capitals ||= CASE_TASKS.has(lower);
    [previous, capital] = [lower, lower !== word];
  }
  return {
    technical,
    symbols,
    exact,
    capitals,
    proper: /^\p{Lu}/u.test(first),
    asking: ASKING.has(first.toLowerCase()),
  };
}
