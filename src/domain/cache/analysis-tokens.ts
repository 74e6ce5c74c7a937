import { SPELLINGS } from "./analysis-words.ts";
import { withoutInfo } from "./notation-lines.ts";

/** The lexical class of a piece of text. `pause` is a comma, `stop` the end of a sentence. */
export type TokenKind = "word" | "number" | "date" | "code" | "foreign" | "pause" | "stop";

/** A piece of a prompt. `text` is compared, `unit` belongs to numbers, `capital` only counts within a sentence. */
export interface Token {
  readonly kind: TokenKind;
  readonly text: string;
  readonly unit: string;
  readonly capital: boolean;
}

/** Characters of normalised text that are tokenised; prompts beyond it are compared as a whole instead. */
export const MAX_CHARACTERS = 8_192;

const PAUSE: Token = { kind: "pause", text: ",", unit: "", capital: false };
const STOP: Token = { kind: "stop", text: ".", unit: "", capital: false };

// Each expression below has one unbounded class per position, so matching is linear in the chunk.
const CHUNKS = /\S+/g;
const WORD = /^[\p{Script=Latin}\p{M}]+(?:['-][\p{Script=Latin}\p{M}]+)*'?$/u;
const OTHER_LETTER = /[\p{L}--\p{Script=Latin}]/v;
const FOREIGN_RUNS = /[\p{L}\p{M}]+|[0-9]+|[^\p{L}\p{M}\s]/gu;
const NUMBER = /^([-+]?)([$€£¥₹]?)([-+]?)([0-9][0-9,]*(?:\.[0-9]+)?)(%|°?[a-z]*|[$€£¥₹]|-[a-z]+)$/;
const GROUPED = /^[0-9]{1,3}(?:,[0-9]{3})+$/;
const ABBREVIATION = /^(?:[a-z]\.)+[a-z]?$/i;
const CAMEL = /^[\p{Script=Latin}]*\p{Ll}\p{Lu}[\p{Script=Latin}]*$/u;
/** Names of languages that are typed in any case. */
export const LANGUAGE_WITH_SIGN = /^(?:c\+\+(?:[0-9]{2})?|[cfj]#|\.net)$/i;
const LEADING = new Set(`("'[{<«“¿¡*_,;:!?`);
const TRAILING = new Set(`)"']}>»”*_,;:!?.`);

/** Unicode forms, quotes and dashes made one. Case is kept: names and code need it. */
export function normalizeText(text: string): string {
  return text
    .normalize("NFKC")
    .replace(/[\u2018\u2019\u02BC\u00B4]/g, "'")
    .replace(/[\u201C\u201D]/g, '"')
    .replace(/[\u2010-\u2015\u2212]/g, "-")
    .replace(/[\u200B-\u200D\u2060\uFEFF\u00AD]/g, "")
    .replace(/\.{2,}|\u2026/g, " , ");
}

/** Cuts normalised text into tokens. Whatever is neither a plain word nor a number is code and compared as is. */
export function tokenize(text: string): Token[] {
  const tokens: Token[] = [];
  let from = 0;
  while (from < text.length) {
    const open = text.indexOf("`", from);
    if (open < 0) break;
    let width = 1;
    while (text[open + width] === "`") width++;
    const fence = "`".repeat(width);
    const close = text.indexOf(fence, open + width);
    // A back-tick that is never closed is only punctuation.
    pushChunks(text.slice(from, open), tokens);
    if (close < 0) {
      from = open + width;
      continue;
    }
    const code = withoutInfo(text.slice(open + width, close), width)
      .code.trim()
      .replace(/\s+/g, " ");
    if (/^[\p{L}\p{N}._]+$/u.test(code)) pushCore(code, tokens);
    else if (code !== "") tokens.push(plain("code", code));
    from = close + width;
  }
  pushChunks(text.slice(from), tokens);
  return tokens;
}

function plain(kind: TokenKind, text: string, capital = false): Token {
  return { kind, text, unit: "", capital };
}

function pushChunks(text: string, tokens: Token[]): void {
  for (const chunk of text.match(CHUNKS) ?? []) pushChunk(chunk, tokens);
}

function pushChunk(chunk: string, tokens: Token[]): void {
  let start = 0;
  let end = chunk.length;
  while (start < end && LEADING.has(chunk.charAt(start))) start++;
  while (end > start && TRAILING.has(chunk.charAt(end - 1))) end--;
  const before = chunk.slice(0, start);
  const after = chunk.slice(end);
  let core = chunk.slice(start, end);
  // "C++", "f()", "[]" lose only the brackets of a call, which do not change the named function.
  if (core === "" && /[<>{}[\]*_]/.test(chunk)) core = chunk;
  if (before.includes(",") || before.includes(";") || before.includes(":")) tokens.push(PAUSE);
  if (core !== "") pushCore(core, tokens);
  if (/[.!?]/.test(after) && !ABBREVIATION.test(`${core}.`)) tokens.push(STOP);
  else if (/[,;:]/.test(after)) tokens.push(PAUSE);
}

function pushCore(core: string, tokens: Token[]): void {
  const lower = core.toLowerCase();
  // An emoji expresses a mood; a prompt about the emoji reads it as notation.
  if (/^\p{Emoji_Presentation}+$/u.test(core)) return;
  const number = NUMBER.exec(lower);
  const slash = core.indexOf("/");
  if (WORD.test(core) || SPELLINGS.has(lower)) {
    pushWord(core, tokens);
  } else if (OTHER_LETTER.test(core)) {
    for (const run of lower.match(FOREIGN_RUNS) ?? []) {
      tokens.push(plain(/^[0-9]/.test(run) ? "number" : "foreign", run));
    }
  } else if (number !== null && pushNumber(number, tokens)) {
    return;
  } else if (/^[-/|~]{1,2}$/.test(core)) {
    // A dash or a slash by itself separates; other signs are operators.
    tokens.push(PAUSE);
  } else if (ABBREVIATION.test(core)) {
    pushWord(core.replaceAll(".", ""), tokens);
  } else if (slash > 0 && WORD.test(core.slice(0, slash)) && WORD.test(core.slice(slash + 1))) {
    pushWord(core.slice(0, slash), tokens);
    tokens.push(plain("word", "or"));
    pushWord(core.slice(slash + 1), tokens);
  } else if (/^[\p{L}0-9][\p{L}0-9-]*$/u.test(core) || /^[\p{L}.]+$/u.test(core)) {
    // "Node.js" and "GPT-4" are written in any case; flags and identifiers with other signs are not.
    tokens.push(plain("code", lower.replace(/([a-z])-(?=[0-9])/g, "$1"), true));
  } else {
    tokens.push(plain("code", LANGUAGE_WITH_SIGN.test(core) ? core.toUpperCase() : core));
  }
}

function pushNumber(match: RegExpExecArray, tokens: Token[]): boolean {
  const [, sign = "", currency = "", innerSign = "", digits = "", suffix = ""] = match;
  if (digits.includes(",") && !GROUPED.test(digits.split(".")[0] ?? "")) return false;
  let value = digits.replaceAll(",", "");
  const symbol = currency === "" ? suffix.replace(/^-/, "") : currency;
  // $5.00 is $5, but 3.10 is not 3.1: it may be a version.
  if (currency !== "" && /\.0+$/.test(value)) value = value.slice(0, value.indexOf("."));
  if (currency !== "" && suffix !== "" && suffix !== "k" && suffix !== "m") return false;
  if (currency !== "" && suffix !== "") value += suffix;
  const minus = sign === "-" || innerSign === "-" ? "-" : "";
  tokens.push({ kind: "number", text: minus + value, unit: symbol, capital: false });
  return true;
}

function pushWord(raw: string, tokens: Token[]): void {
  const lower = raw.toLowerCase();
  const spelling = SPELLINGS.get(lower);
  const capital = raw !== lower;
  if (spelling !== undefined) {
    for (const part of spelling.split(" ")) tokens.push(plain("word", part));
    return;
  }
  if (CAMEL.test(raw)) {
    tokens.push(plain("code", lower, true));
    return;
  }
  if (lower.includes("-")) {
    for (const part of raw.split("-")) pushWord(part, tokens);
    return;
  }
  const mark = lower.indexOf("'");
  if (mark < 0) {
    tokens.push(plain("word", lower, capital));
    return;
  }
  const stem = lower.slice(0, mark);
  const tail = lower.slice(mark);
  tokens.push(plain("word", stem, capital));
  if (tail === "'s" || tail === "'") tokens.push(plain("word", "'s"));
  else if (tail === "n't") tokens.push(plain("word", "not"));
  else if (tail === "'ll") tokens.push(plain("word", "will"));
  else if (tail === "'ve") tokens.push(plain("word", "have"));
  else if (tail === "'re" || tail === "'m") tokens.push(plain("word", "are"));
  else if (tail === "'d") tokens.push(plain("word", "would"));
  else tokens.push(plain("word", tail.slice(1)));
}

/** A sentence end, appended to every prompt so that readers need no end test. */
export const END_OF_TEXT: Token = STOP;
