import { KNOWN_NAMES } from "./analysis-words.ts";
import type { Notation, WritingContext } from "./notation.ts";
import { hasTellingCase } from "./notation-case.ts";
import { TAKEN } from "./notation-lines.ts";
import { isLoneNotation, isMood, operandOf } from "./notation-signs.ts";
import { wordNotation } from "./notation-spelling.ts";
import { ADDRESSED, FACTORIAL_WORDS, MARK_NOUNS, SENTENCE_OPENERS, TECHNICAL } from "./notation-words.ts";

/** A piece of text between white space, with its context. */
export interface Chunk {
  readonly text: string;
  /** The chunk before it, and the one before that; empty at the beginning. */
  readonly previous: string;
  readonly earlier: string;
  readonly next: string;
  /** It begins a sentence, so that its capital is no evidence. */
  readonly opens: boolean;
  /** A sentence may end after it. */
  readonly closes: boolean;
  readonly context: WritingContext;
  /** Capitals within sentences are significant: not every word has one. */
  readonly capitalsTell: boolean;
}

// Longer ones are no prose and are not taken apart, so that hostile texts cost bounded work.
const MAX_CHUNK = 200;
const PLAIN = /^[a-z]+[.,]?$/;
// Brackets around numbers, single letters and infinity: an interval, a tuple, a set.
const TUPLE =
  /[[\](){}<⟨]\s*[-+]?(?:\d[\d.]{0,12}|\p{L}|∞)(?:\s*[,;]\s*[-+]?(?:\d[\d.]{0,12}|\p{L}|∞)){1,8}\s*[[\](){}>⟩]/gu;
// Round brackets around a calculation or around words of logic.
const GROUP =
  /\(\s*(?:not\s+)?[-+]?[\p{L}\p{N}.]{1,8}(?:\s*(?:[-+*/^=<>|&%×÷·∪∩∧∨]{1,2}|\b(?:and|or|xor)\b(?:\s+not)?)\s*[-+]?[\p{L}\p{N}.]{1,8}){1,6}\s*\)|\(\s*not\s+\p{L}\s*\)/gu;

/** Reads a text from which code and quoted texts have been taken, chunk by chunk. */
export function readChunks(text: string, context: WritingContext, found: Notation[]): void {
  const rest = takeGroups(text, found);
  const chunks = rest.match(/\S+|\n/g) ?? [];
  const capitalsTell = tellCapitals(chunks);
  const operators: string[] = [];
  let opens = true;
  let [earlier, previous] = ["", ""];
  for (const [at, written] of chunks.entries()) {
    if (written === "\n") {
      opens = true;
      continue;
    }
    const next = chunks[at + 1] ?? "";
    // Inside a call there is no sentence end: `f(x?: T)`.
    const unclosed = written.lastIndexOf("(") > Math.max(0, written.lastIndexOf(")"));
    const closes = next === "" || next === "\n" || (!unclosed && /^[("'[]?\p{Lu}/u.test(next));
    if (
      !PLAIN.test(written) ||
      /^[0-9]/.test(previous) ||
      hasTellingCase(written, { previous, earlier, next })
    ) {
      const chunk = { text: written, previous, earlier, next, opens, closes, context, capitalsTell };
      readChunk(chunk, operators, found);
    }
    opens = /[.!?:]["')\]]*$/.test(written);
    [earlier, previous] = [previous, written];
  }
  // Together, because their order counts: a < b > c.
  if (operators.length > 0) found.push({ kind: "code", text: operators.join(" ") });
  readAddress(chunks, found);
  if (capitalsTell) readContrast(chunks, found);
}

function takeGroups(text: string, found: Notation[]): string {
  if (!/[[\](){}<⟨]/.test(text)) return text;
  const take = (all: string): string => {
    found.push({ kind: "code", text: all.replace(/\s+/g, "") });
    return TAKEN;
  };
  return text.replace(TUPLE, take).replace(GROUP, take);
}

function tellCapitals(chunks: readonly string[]): boolean {
  let [capitals, small] = [0, 0];
  for (const [at, chunk] of chunks.entries()) {
    if (at === 0) continue;
    if (/^\p{Ll}/u.test(chunk)) small++;
    else if (/^\p{Lu}/u.test(chunk) && !isName(chunk)) capitals++;
  }
  return small >= capitals || capitals === 1;
}

/** What has its capital in careful writing too. */
function isName(chunk: string): boolean {
  const lower = chunk.toLowerCase().replace(/[^a-z]+$/, "");
  return TECHNICAL.has(lower) || KNOWN_NAMES.has(lower);
}

function readChunk(chunk: Chunk, operators: string[], found: Notation[]): void {
  const { text, previous, next } = chunk;
  if (text.length > MAX_CHUNK) {
    found.push({ kind: "code", text });
    return;
  }
  if (isMood(chunk)) {
    found.push({ kind: "mood", text });
    return;
  }
  if (/^[^\p{L}\p{N}\uE000]+$/u.test(text)) {
    if (!isLoneNotation(chunk)) return;
    const ends = next === "" && /[^.?].*[.?]$/.test(text) && !MARK_NOUNS.has(previous);
    const sign = ends ? text.slice(0, -1) : text;
    const [left, right] = [operandOf(previous), operandOf(next)];
    operators.push(left !== "" && right !== "" ? left + sign + right : sign);
    return;
  }
  const core = withoutProse(chunk);
  if (core === "" || core === TAKEN) return;
  found.push(...wordNotation(core, chunk));
}

/** "Rock n' roll", "five o' clock", "O' Neil"; but O' and d' are primed symbols. */
function isElided(written: string, next: string): boolean {
  return /^[no]'$/.test(written) || (/^[od]'$/i.test(written) && /^\p{Lu}/u.test(next));
}

/** A chunk without the punctuation of prose around it. What is left of the marks is notation. */
function withoutProse(chunk: Chunk): string {
  const written = chunk.text.replace(/^[¿¡]+/, "").replace(/^\.(?=\p{Lu}\p{Ll})/u, "");
  const marked = withoutEndMarks(isElided(written, chunk.next) ? "" : written, chunk);
  let core = withoutBrackets(marked);
  if (core !== marked) core = withoutEndMarks(core, chunk);
  // A remaining quote has its other half in another chunk, unless it is a prime.
  if (isPrimed(core, chunk)) return core;
  if (/^["']/.test(core)) core = core.slice(1);
  return /\p{L}{2}'$|[^\p{N}']"$|\p{L}{2}'s$/u.test(core) && !/''$/.test(core)
    ? core.replace(/["']$/, "")
    : core;
}

// A number or a letter, which may end a calculation.
const FACTORIAL =
  /(?:^|[-+*/^=(|])(?:\d{1,9}|[b-hj-z])[²³⁰-⁹ⁿ]?\)?!{1,2}$|[\p{N}\p{L}]\)!{1,2}$|\uE000!{1,2}$/u;
const CHESS = /^(?:[KQRBN]?[a-h]?[1-8]?x?[a-h][1-8](?:=[QRBN])?[+#]?|O-O(?:-O)?)[!?]{1,2}$/;

/** A chunk without the marks that end sentences and their parts. */
function withoutEndMarks(written: string, chunk: Chunk): string {
  const { closes, context } = chunk;
  let core = written;
  for (;;) {
    const last = core.at(-1) ?? "";
    if (isCodeMark(core, chunk)) return core;
    if (last === "," || last === ";" || last === ":") core = core.slice(0, -1);
    else if (last === "." && core !== "." && !core.endsWith("..")) core = core.slice(0, -1);
    else if (core.endsWith("...") && (closes || !context.technical) && /[\p{L}\p{N})]\.{3,}$/u.test(core))
      core = core.replace(/\.+$/, "");
    else if (isLooseQuote(core, written) && !isPrimed(core, chunk)) core = core.slice(0, -1);
    else if ((last === "?" || last === "!") && core.length > 1) {
      if (CHESS.test(core) && !(closes && last === "?" && !core.endsWith("!?"))) return core;
      if (isFactorial(core, chunk) || isPartOfName(core, chunk) || isQuantified(core, chunk)) return core;
      core = core.slice(0, -1);
      // In code only the very last mark is the sentence's, but nothing is called `vim??`.
      if (context.technical && closes && core.at(-1) !== last && /[\p{L}\p{N}_)\]*+?][?!]$/u.test(core))
        return core;
    } else return core;
  }
}

/** The semicolon of an assignment or before the end of a block, and the comma between the arguments of a call. */
function isCodeMark(core: string, { previous, next, context }: Chunk): boolean {
  if (core.endsWith(",")) return /[^\s(]\([^)]*,$/.test(core);
  if (!core.endsWith(";") || core.length < 2) return false;
  if (/^[})]/.test(next)) return true;
  const goesOn = SENTENCE_OPENERS.has(next.toLowerCase()) || next.toLowerCase() === "then";
  return context.technical && !goesOn && (/^[-+*/:]?=$/.test(previous) || core.includes("="));
}

/**
 * `foldl'`, `'static`: in code a quote without another half belongs to the name, but for plurals and dropped letters:
 * users', goin', 'em.
 */
function isPrimed(core: string, { context }: Chunk): boolean {
  if (context.technical && /^'(?!em$|tis$|til$|cause$)\p{Ll}+$/u.test(core)) return true;
  return context.technical && /^[\p{L}\p{N}_.]*\p{L}{2}'$/u.test(core) && !/(?:[sxz]|in)'$/i.test(core);
}

/** A closing quote without an opening one in the chunk; not a prime, which follows a digit or a single letter. */
function isLooseQuote(core: string, written: string): boolean {
  return (
    /(?:\p{L}{2}|[^\p{L}\p{N}"'])["']$/u.test(core) && written.indexOf(core.at(-1) ?? "") === core.length - 1
  );
}

function isFactorial(core: string, { text, closes, previous, context }: Chunk): boolean {
  if (!FACTORIAL.test(core)) return false;
  // "Is it 8!?" asks of a factorial, "Is it 8?!" does not.
  if (text.endsWith("!?")) return true;
  const spoken =
    previous === "" || FACTORIAL_WORDS.has(previous.toLowerCase()) || /^[^\p{L}]+$|:$/u.test(previous);
  return !closes || spoken || context.technical || /[+*^=(]/.test(core);
}

/** `sort!`, `empty?` and `:q!`: the mark belongs to the name, because the sentence continues or it is a command. */
function isPartOfName(core: string, { closes, next, context }: Chunk): boolean {
  if (/^:\p{L}+!$/u.test(core)) return true;
  if (closes) return false;
  if (/^[b-hj-z][?!]$/.test(core)) return true;
  if (context.technical)
    return !SENTENCE_OPENERS.has(next.toLowerCase().replace(/[^a-z']/g, "")) || next === "do";
  return /[^\p{L}'"!?.,-]/u.test(core.slice(0, -1).replace(/^["'(]/, ""));
}

/** `(\d+)?` at the end of a sentence that is no question. */
function isQuantified(core: string, { closes, context }: Chunk): boolean {
  if (!closes || context.asking || !/(?:[)\]}*+]|.\uE000)\?$/.test(core)) return false;
  return context.technical || /[\\{\uE000]/.test(core);
}

/** A chunk without the round brackets of prose: those whose other half is elsewhere, and those around one word. */
function withoutBrackets(written: string): string {
  let core = written;
  for (;;) {
    const opened = core.split("(").length;
    const closed = core.split(")").length;
    const around = core.startsWith("(") && core.indexOf(")") === core.length - 1;
    if (opened > closed && core.startsWith("(")) core = core.slice(1);
    else if (closed > opened && core.endsWith(")")) core = core.slice(0, -1);
    // "(today)" is prose, "(x)" and "(?:a)" are not.
    else if (around && /^\(["']?\p{L}[\p{L}'-]+["']?[.,!?]*\)$/u.test(core)) core = core.slice(1, -1);
    else return core;
  }
}

// Words between the two cases of one word; farther apart they are carelessness.
const CONTRAST_REACH = 4;

/** "The difference between Foo and foo": a word in two cases side by side is significant in both. */
function readContrast(chunks: readonly string[], found: Notation[]): void {
  for (let at = 2; at < chunks.length; at++) {
    const word = (chunks[at] ?? "").replace(/[,.?!]{1,3}$/, "");
    if (word === "I" || word === "i") continue;
    for (let back = at - 1; back >= Math.max(1, at - CONTRAST_REACH); back--) {
      const before = chunks[back] ?? "";
      // After the end of a sentence or line, a capital only marks the beginning.
      if (before === "\n" || /[.?!:]["')]?$/.test(before)) break;
      const other = before.replace(/,$/, "");
      if (other.length !== word.length || other === word) continue;
      if (other.toLowerCase() === word.toLowerCase()) found.push({ kind: "code", text: `${other} ${word}` });
    }
  }
}

/** "Let's eat, grandma": the comma before the last word marks a form of address. */
function readAddress(chunks: readonly string[], found: Notation[]): void {
  const last = (chunks.at(-1) ?? "").toLowerCase().replace(/[.!?]{1,3}$/, "");
  if (
    ADDRESSED.has(last) &&
    chunks.at(-2)?.endsWith(",") === true &&
    !/^(?:hi|hello|hey|dear|thanks|yes|no|sorry)\b/i.test(chunks[0] ?? "")
  ) {
    found.push({ kind: "code", text: `,${last}` });
  }
}
