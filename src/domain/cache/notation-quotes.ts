import type { Notation, WritingContext } from "./notation.ts";
import { TAKEN } from "./notation-lines.ts";
import { CODE_NOUNS, EXACT_TASKS, WORDING_TASKS } from "./notation-words.ts";

// A single quote opens behind no letter and closes before none: inside words it is an apostrophe, behind a digit
// a prime. Quotes do not span lines, except tripled ones.
const QUOTED =
  /('''|""")([\s\S]*?)\1|(?<![0-9])"([^"\n]*)"|(?<![\p{L}\p{N}])'((?:[^'\n]|(?<=\p{L})'(?=\p{L}))*)'(?!\p{L})|(?<=(?:^|[\s([,=])[rbfuRBFU])'([^'\n(\s][^'\n]*)'/gu;
const SIGNS_ONLY = /^[^\p{L}\p{N}]*$/u;
const QUOTING_MATTERS = /\$[\p{L}{(@*?#!]|[*\\~<>|&;=]/u;
// Two spaces after a sentence are a typing habit.
const ODD_SPACES = /^\s|\s$|(?<![.,;:!?])\s\s|\t/;

/**
 * Extracts quoted texts that are compared literally, with their quotes: next to code, in tasks that process a text
 * letter by letter, and with signs or unusual white space inside. Elsewhere quotes are punctuation; then only the case
 * of the quoted text may count, against another case in an equally carefully written prompt.
 */
export function takeQuotes(text: string, context: WritingContext, found: Notation[]): string {
  if (!/["']/.test(text)) return text;
  const exact: string[] = [];
  const rest = text.replace(QUOTED, (...match) => {
    const [, triple, tripled, double, single, prefixed] = match as (string | undefined)[];
    const at = match.find((part): part is number => typeof part === "number") ?? 0;
    const content = tripled ?? double ?? single ?? prefixed ?? "";
    const quote = triple ?? (double === undefined ? "'" : '"');
    // Quotes around the whole prompt are no quotation.
    const whole = at === 0 && content.length + 2 === text.length;
    if (whole && triple === undefined) return content;
    if (
      isExact(content, context) ||
      triple !== undefined ||
      isAttached(text, at, at + (match[0] as string).length)
    ) {
      exact.push(quote + content + quote);
      return TAKEN;
    }
    if (at > 0) found.push(caseOf(content.replace(/\s+/g, " "), context));
    return content;
  });
  // Together, because their order counts: replace 'a' with 'b'.
  if (exact.length > 0) found.push({ kind: "code", text: exact.join(" ") });
  return rest;
}

/** Spaces behind a backslash: only the first one is escaped. */
export function readEscapedSpaces(text: string, found: Notation[]): void {
  for (const [spaces] of text.matchAll(/\\ {2,}(?=\S)/g)) found.push({ kind: "code", text: spaces });
}

/** Counts against the same letters in another case, in a prompt that is as careful or careless with capitals. */
export function caseOf(text: string, { proper }: WritingContext): Notation {
  return { kind: "variant", text: `${proper ? "+" : "-"}${text}` };
}

function isExact(content: string, { technical, exact }: WritingContext): boolean {
  return (
    technical ||
    exact ||
    SIGNS_ONLY.test(content) ||
    /^\p{L}+'\p{L}+$/u.test(content) ||
    ODD_SPACES.test(content) ||
    QUOTING_MATTERS.test(content)
  );
}

/** Whether the quote at this place belongs to code: `print("x")`, `a="x"`, `r"x"`, `"1" + 1`. */
function isAttached(text: string, at: number, end: number): boolean {
  const before = text.slice(Math.max(0, at - 2), at);
  if (/^\s?[+*%=<>]/.test(text.slice(end, end + 2)) || /[+*%=<>]\s$/.test(before)) return true;
  return /[\p{L}\p{N}_]$|[=+>|&$\\/@#]$|[^\s][([{,:]$/u.test(before);
}

// A text with none of these may be prose: "a question about my code: why does it fail?"
const CODE_SIGN = /[=(){}[\]<>$%&|*+\\_@#^~;]|[\p{L}\p{N}]\.\p{L}|[0-9]/u;
const HEAD = /^([^:\n]{3,80}):\s+(\S[\s\S]*)$/;
const SINGLE_OBJECT =
  /^(?:please\s+)?(capitali[sz]e|upper-?case|lower-?case|title-?case|swap-?case|spell|reverse|encode|decode|hash)\s+(?:(?:the|this)\s+)?(?:(?:word|name|string|letter|text)\s+)?(\S{1,80}?)[.?!]{0,4}$/i;

/** Extracts the operand of a text task: "capitalize: hello", "reverse Abc". It is compared literally. */
export function takePayload(text: string, context: WritingContext, found: Notation[]): string {
  const head = HEAD.exec(text);
  if (head !== null) {
    const [, task = "", payload = ""] = head;
    const words = task.toLowerCase().match(/[a-z0-9]+(?:-[a-z0-9]+)*/g) ?? [];
    if (words.some((word) => EXACT_TASKS.has(word))) {
      found.push({ kind: "code", text: payload.trim() });
      return task;
    }
    if (words.some((word) => WORDING_TASKS.has(word))) {
      found.push({ kind: "code", text: wording(payload) });
      return task;
    }
    if (CODE_NOUNS.has(words.at(-1) ?? "") && CODE_SIGN.test(payload)) {
      found.push({ kind: "code", text: payload.trim().replace(context.asking ? /[.?]+$/ : /\.$/, "") });
      return task;
    }
    const short = wording(payload);
    if (short.length <= 40 && short.split(" ").length <= 3) found.push(caseOf(short, context));
  }
  const single = SINGLE_OBJECT.exec(text);
  const object = single?.[2] ?? "";
  if (!/\p{Lu}/u.test(object)) return text;
  found.push({ kind: "code", text: object });
  return text.slice(0, text.lastIndexOf(object));
}

/** A normalised text: single spaces, no final mark, no capital at the beginning. */
function wording(payload: string): string {
  let text = payload.trim().replace(/\s+/g, " ");
  while (/[.!?]$/.test(text)) text = text.slice(0, -1);
  const sentence = text.includes(" ") && /^\p{Lu}\p{Ll}*\b/u.test(text);
  return sentence ? text.charAt(0).toLowerCase() + text.slice(1) : text;
}
