import { hash } from "node:crypto";
import { withoutEmphasis } from "./notation-fold.ts";
import { OPEN_WORDS } from "./notation-signs.ts";
import { DOTTED_ABBREVIATIONS, SENTENCE_OPENERS, TELLING_VERBS } from "./notation-words.ts";

/**
 * Hashes (64 bits) of a prompt without its signs, and with the signs that are not free in prose. Prompts of the same
 * letters and digits differ only in writing, and then any difference in `marks` is one of notation.
 */
export interface Writing {
  readonly letters: string;
  readonly marks: string;
}

const PLAIN = /^[A-Za-z]{2,}$/;
const WORD = /^["'(]*((?:\p{L}\p{M}*)+(?:['-](?:\p{L}\p{M}*)+)*)(["'),;:.!?]*)$/u;
// `x-y` and `f'g` are no words: one side has two letters.
const TWO_LETTERS = /\p{L}\p{M}*\p{L}|^[ai]$/iu;
const QUOTED = /"([^"\n]+)"|(?<![\p{L}\p{N}])'((?:[^'\n]|(?<=\p{L})'(?=\p{L}))+)'(?![\p{L}\p{N}])/gu;
const LIST_OF_QUOTES = /["'],\s*["']/g;
const NUMBER = /^(["'(]?)([$€£¥₹]?)([0-9]+(?:,[0-9]+)*(?:\.[0-9]+)?)(%|°?[a-z]*)([$€£¥₹]?)(["'),;:.!?]*)$/i;
// "node.js", "gpt-4", "covid-19": names, which prose quotes.
const NAME =
  /^["'(]*([\p{L}\p{N}]*\p{L}[\p{L}\p{N}]*\p{L}[\p{L}\p{N}]*(?:[.-][\p{L}\p{N}]+)*)(["'),;:.!?]*)$/u;
const DATE = /^[0-9]{4}[-/][0-9]{1,2}[-/][0-9]{1,2}[.,;:!?]*$/;
const COUNTED = /^([0-9]+)-(?=\p{L}{2})/u;
const AREA = /(?<![\p{L}\p{N}])(?<=[0-9]\s?)([ckd]?m|ft|in|yd|mi)([²³])/gu;
const OTHER_SCRIPT = /[\p{L}--\p{Script=Latin}--\p{Script=Greek}]/v;
const ABBREVIATION = /^["'(]*((?:\p{L}{1,2}\.)+\p{L}?)["'),;:!?]*$/u;
const SIGNS = /^[^\p{L}\p{N}]+$/u;
const MOOD = /\p{Emoji_Presentation}\p{Emoji_Modifier}*|(?<=^|\s)(?:[:;][-']?[)D(Pp]|\^\^)(?=$|[\s.])/gu;
const CALCULATED = /(?:^|\s)(?:AND|OR|NOT|XOR|[+*^=<>|%×÷∧∨∪∩→⇒]{1,3}|<?[-=]>|<-|&&)\s|\bnot \(/;
// Functions that are applied: `f (g x)`.
const APPLIED = /(?:^|\s)\p{L}\s\(|\(\p{L}\s\p{L}(?!\p{L})/u;
const DOES = /^(?:do|does|would|will|did)$/i;
// Chunks between "does" and its verb.
const MAX_ASKED = 12;
const LIST_SIGN = /^(?:[-*•·]|#{1,6})$/;

/** Reads the whole of a text that {@link foldWriting} has folded. `technical`: it speaks of code. */
export function readWriting(folded: string, technical: boolean): Writing {
  let text = folded.replaceAll("`", " ").replaceAll("(s)", "s");
  if (/[²³]/.test(text))
    text = text.replace(AREA, (_, unit: string, power: string) => unit + power.normalize("NFKC"));
  if (!technical) text = withoutEmphasis(text);
  const chunks = text.match(/\S+|\n/g) ?? [];
  const block = /[{}]|\);/.test(text);
  let marks = "";
  let previous = "\n";
  for (const [at, chunk] of chunks.entries()) {
    if (chunk !== "\n") {
      const place = { previous, next: chunks[at + 1] ?? "", technical, block };
      marks += PLAIN.test(chunk) ? chunk : marksOf(chunk, place);
    }
    previous = chunk;
  }
  // What brackets hold together is what is calculated first.
  const grouped = text.includes("(") && (CALCULATED.test(text) || (technical && APPLIED.test(text)));
  if (grouped) marks += text.replace(/[^\p{L}\p{N}()]+/gu, "");
  marks += quotedMarks(text) + askedMarks(chunks);
  const letters = folded.normalize("NFKC").replace(/[^\p{L}\p{N}]+/gu, "");
  return { letters: shortHash(letters.toLowerCase()), marks: shortHash(marks.toLowerCase()) };
}

function shortHash(text: string): string {
  return hash("sha256", text, "base64url").slice(0, 11);
}

/** Signs in quoted texts count, except one at the end of a sentence. */
function quotedMarks(text: string): string {
  if (!/["']/.test(text)) return "";
  const commas = text.match(LIST_OF_QUOTES) ?? [];
  let marks = ",".repeat(commas.length);
  for (const match of text.matchAll(QUOTED)) {
    const content = (match[1] ?? match[2] ?? "").trim();
    if (content.length + 2 === text.trim().length) continue;
    const inner = content.includes(" ") ? content.replace(/[.,;:!?]+$/, "") : content;
    if (/[^\p{L}\p{N}\s]/u.test(inner)) marks += `"${inner.replace(/\s+/g, "")}"`;
  }
  return marks;
}

/** In "what does … mean" all signs belong to the subject, except quotes and brackets around words. */
function askedMarks(chunks: readonly string[]): string {
  const from = chunks.findIndex((chunk) => DOES.test(chunk)) + 1;
  if (from < 2 || !/^what$/i.test(chunks[from - 2] ?? "")) return "";
  const to = chunks.findIndex((chunk, at) => at > from && tells(chunk));
  if (to < 0 || to - from > MAX_ASKED) return "";
  const asked = chunks
    .slice(from, to)
    .join(" ")
    .replace(/["'()]|(?<=\p{L})-(?=\p{L})/gu, "");
  return /[^\p{L}\p{N}\s]/u.test(asked) ? asked.replace(/\s+/g, "") : "";
}

interface Place {
  readonly previous: string;
  readonly next: string;
  readonly technical: boolean;
  /** Whether the text has blocks of code, in which semicolons count. */
  readonly block: boolean;
}

/** The significant part of a chunk. */
function marksOf(written: string, place: Place): string {
  if (SIGNS.test(written)) return signs(written, place);
  if (endsSentence(place)) written = written.replace(MOOD, "");
  written = written.replace(COUNTED, "$1");
  const word = WORD.exec(written);
  if (word !== null && isWord(word))
    return (word[1] ?? "").replace(/['-]/g, "") + keptBehind(word[2] ?? "", place);
  if (DATE.test(written)) return written.replace(/[/.,;:!?]/g, (sign) => (sign === "/" ? "-" : ""));
  const number = NUMBER.exec(written);
  if (number !== null) return numberMarks(number, place);
  const abbreviation = ABBREVIATION.exec(written)?.[1];
  if (abbreviation !== undefined && isAbbreviation(abbreviation)) return abbreviation.replaceAll(".", "");
  const name = NAME.exec(written);
  if (name !== null)
    return (name[1] ?? "").replace(/(?<=\p{L}{2})-/gu, "") + keptBehind(name[2] ?? "", place);
  // Chinese, Thai and others set their marks without spaces.
  if (OTHER_SCRIPT.test(written)) return written.replace(/[.,;:!?،؛؟।]+/gu, "");
  return withoutSentence(written, place);
}

function isAbbreviation(text: string): boolean {
  return (
    /^(?:\p{L}\.)+$/u.test(text) ||
    !/\p{Ll}/u.test(text) ||
    DOTTED_ABBREVIATIONS.has(text.toLowerCase().replace(/\.$/, ""))
  );
}

function endsSentence({ next }: Place): boolean {
  return next === "" || next === "\n" || /^["'(]?\p{Lu}/u.test(next);
}

function tells(chunk: string): boolean {
  return TELLING_VERBS.has(chunk.toLowerCase().replace(/[.?!]+$/, ""));
}

/** Whether a sentence, or a part of one, may end before the next chunk. */
function endsPart(place: Place): boolean {
  return endsSentence(place) || SENTENCE_OPENERS.has(place.next.toLowerCase().replace(/[^a-z']/g, ""));
}

/** Punctuation after a word is prose, unless the word is the subject of the question: "does x! do". */
function keptBehind(marks: string, place: Place): string {
  if (marks === "") return "";
  if (tells(place.next)) return marks.replace(/["')]/g, "");
  const rest = place.block ? marks.replace(/[^;]/g, "") : "";
  // Within a sentence these marks belong to a name, in code and before a symbol: `sort! x`, `int? x`.
  const named = place.technical || (/^[\p{L}\p{N}_$]/u.test(place.next) && !isPlainWord(place.next));
  return named && !endsPart(place) ? rest + marks.replace(/[^!?]/g, "") : rest;
}

function numberMarks(match: RegExpExecArray, place: Place): string {
  const [, opened = "", front = "", digits = "", unit = "", behind = "", marks = ""] = match;
  const counted = digits.replaceAll(/,(?=[0-9]{3})/g, "") + unit + front + behind;
  const calculated = isOperator(place.previous) || isOperator(place.next);
  // "1px, 2px" and "1px 2px" are two lists.
  if (/^[,;]$/.test(marks) && /^[-+.]?[0-9]/.test(place.next)) return opened + counted + marks;
  const quoted = opened !== "" && opened !== "(" && marks.startsWith(opened);
  if (quoted) return opened + counted + opened + keptBehind(marks.slice(1), place);
  const brackets = calculated ? marks.replace(/[^)]/g, "") : "";
  return (
    (calculated && opened === "(" ? opened : "") +
    counted +
    brackets +
    keptBehind(marks.replaceAll(")", ""), place)
  );
}

function isOperator(chunk: string): boolean {
  return SIGNS.test(chunk) && !/^[.,;:?!"'()]+$/.test(chunk) && chunk !== "\n";
}

/** Signs by themselves: dashes, bullets and marks of prose are dropped. */
function signs(written: string, place: Place): string {
  const { previous, next, technical } = place;
  if (endsSentence(place)) written = written.replace(MOOD, "");
  if (previous === "\n" && LIST_SIGN.test(written)) return "";
  if (OPEN_WORDS.test(previous) || tells(next)) return withoutSentence(written, place);
  if (/^-{1,3}$/.test(written))
    return isPlainWord(previous) && isPlainWord(next) && !technical ? "" : written;
  if (/^[.,;:()]+$/.test(written) || (/^[!?]{1,3}$/.test(written) && endsPart(place))) return "";
  return withoutSentence(written, place);
}

/** "a" and "I" are words only where nothing follows them: in "a, b" the letter is a symbol. */
function isWord([, letters = "", marks = ""]: RegExpExecArray): boolean {
  return TWO_LETTERS.test(letters) && (letters.length > 1 || marks === "");
}

function isPlainWord(chunk: string): boolean {
  const word = WORD.exec(chunk);
  return word !== null && isWord(word);
}

/** A chunk of notation without the punctuation of the sentence around it. */
function withoutSentence(written: string, place: Place): string {
  let core = written.replace(/^[¿¡]+/, "");
  // A primed symbol.
  if (/^[A-Zd]'+$/.test(core) && !endsPart(place)) return core;
  if (endsSentence(place)) core = core.replace(/[.?!,;:]+$/, "");
  else if (endsPart(place)) core = core.replace(/[.,;:]+$/, "");
  for (const [open, close] of [
    ["(", ")"],
    ['"', '"'],
    ["'", "'"],
  ] as const) {
    const opened = core.split(open).length;
    const closed = core.split(close).length;
    const loose = open === close ? opened % 2 === 0 : opened !== closed;
    if (loose && core.startsWith(open)) core = core.slice(1);
    else if (loose && core.endsWith(close)) core = core.slice(0, -1);
  }
  return core;
}
