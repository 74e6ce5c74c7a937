import { COURTESY, QUESTION_FRAMES, REQUEST_FRAMES } from "./analysis-frames.ts";
import type { Token } from "./analysis-tokens.ts";
import { CONDITIONS, EMPTY_PHRASES, FILLERS, PHRASES, PRONOUNS, QUESTION_WORDS } from "./analysis-words.ts";

/** Words behind an opening that a frame may have. */
const MAX_FRAME = 14;

const ASKING = new Set(
  "know tell ask wondering curious sure advise inform check see learn understand out let explain show wonder unsure".split(
    " ",
  ),
);

/** How a frame of a question begins. */
const WH =
  /^(?:what|which|how|why|for|at|define|give|definition|can|i|we|searching|in|is|looking|a|the|recipe|recipes)$/;
const HOW_TO = wordTokens("how to");
const QUESTIONS = QUESTION_FRAMES.map(([frame, words]) => ({ frame, tokens: wordTokens(words) }));

/** Words that are replaced by others, or dropped. */
interface Phrase {
  readonly words: readonly string[];
  readonly tokens: readonly Token[];
}

const BY_FIRST_WORD = new Map<string, Phrase[]>();
for (const [words, target] of [...EMPTY_PHRASES.map((words) => [words, []] as const), ...PHRASES]) {
  const phrase = { words, tokens: target.length === 0 ? [] : wordTokens(target.join(" ")) };
  const first = words[0] ?? "";
  BY_FIRST_WORD.set(first, [...(BY_FIRST_WORD.get(first) ?? []), phrase]);
}

function wordTokens(text: string): readonly Token[] {
  return text.split(" ").map((word) => ({ kind: "word", text: word, unit: "", capital: false }));
}

/**
 * Drops courtesy and filler, which change no answer, and replaces frames that ask how to do something ("what is the way to
 * …", "I need help with …") by "how to". Both count only where a sentence begins, again and again.
 */
export function withoutCourtesy(raw: readonly Token[]): Token[] {
  const tokens = raw.filter((token) => token.kind !== "word" || !FILLERS.has(token.text));
  const kept: Token[] = [];
  let at = 0;
  // Behind a dropped opening a sentence begins once more.
  let dropped = false;
  while (at < tokens.length) {
    const token = tokens[at];
    if (token === undefined) break;
    const last = kept.at(-1);
    const opens = dropped || last === undefined || last.kind === "stop" || last.kind === "pause";
    const isWord = token.kind === "word";
    const words = opens && isWord ? wordsAt(tokens, at) : "";
    const courtesy = words === "" ? 0 : frameLength(words, COURTESY);
    if (courtesy > 0) {
      const asks = tokens.slice(at, at + courtesy).some(({ text }) => ASKING.has(text));
      at += courtesy;
      // "Sorry to bother you, but …": the comma belongs to the courtesy.
      if (tokens[at]?.kind === "pause") at++;
      // "Do you know if the shop is open" sets no condition.
      if (asks && CONDITIONS.has(tokens[at]?.text ?? "")) at++;
      dropped = true;
      continue;
    }
    const question = words !== "" && WH.test(token.text) ? questionAt(words) : undefined;
    const frame = words !== "" && question === undefined ? frameLength(words, REQUEST_FRAMES) : 0;
    if (question !== undefined) {
      kept.push(...question.tokens);
      at += question.length;
    } else if (frame > 0) {
      if (asksHow(tokens, at, at + frame)) kept.push(...HOW_TO);
      at += frame;
    } else {
      const phrase = isWord ? phraseAt(tokens, at) : undefined;
      if (phrase === undefined) kept.push(token);
      else kept.push(...phrase.tokens);
      at += phrase?.words.length ?? 1;
    }
    dropped = false;
  }
  return kept;
}

/** Rewrites the phrases that say the same as one word, and drops nothing. */
export function withPhrases(tokens: readonly Token[]): Token[] {
  const kept: Token[] = [];
  for (let at = 0; at < tokens.length; ) {
    const token = tokens[at];
    const phrase = token?.kind === "word" ? phraseAt(tokens, at) : undefined;
    const isRewritten = phrase !== undefined && phrase.tokens.length > 0;
    if (isRewritten) kept.push(...phrase.tokens);
    else if (token !== undefined) kept.push(token);
    at += isRewritten ? phrase.words.length : 1;
  }
  return kept;
}

function questionAt(
  words: string,
): { readonly tokens: readonly Token[]; readonly length: number } | undefined {
  for (const { frame, tokens } of QUESTIONS) {
    const length = frameLength(words, frame);
    if (length > 0) return { tokens, length };
  }
  return undefined;
}

/** Number of tokens that a frame matches at the beginning, 0 for none. */
function frameLength(words: string, frame: RegExp): number {
  const match = frame.exec(words)?.[0] ?? "";
  return match === "" ? 0 : match.split(" ").length - 1;
}

/** The words from a place on, each followed by a space. */
function wordsAt(tokens: readonly Token[], at: number): string {
  let words = "";
  for (let next = at; next < at + MAX_FRAME; next++) {
    const token = tokens[next];
    if (token === undefined || token.kind === "stop") break;
    words += token.kind === "word" ? `${token.text} ` : token.kind === "pause" ? ", " : "# ";
  }
  return words;
}

/** Not when a question follows: "I want to cancel. What does it cost?" asks for the cost. */
function asksHow(tokens: readonly Token[], from: number, to: number): boolean {
  if (tokens[from]?.text !== "i" && tokens[from]?.text !== "we") return true;
  return !tokens.slice(to).some(({ kind, text }, offset, rest) => {
    const before = rest[offset - 1]?.kind;
    return kind === "word" && QUESTION_WORDS.has(text) && (before === "stop" || before === "pause");
  });
}

/** Whether "you" means anybody: the rest of the sentence names no other person. */
export function isGenericYou(tokens: readonly Token[], at: number): boolean {
  for (let next = at + 1; next < tokens.length && tokens[next]?.kind !== "stop"; next++) {
    const person = PRONOUNS.get(tokens[next]?.text ?? "");
    if (person !== undefined && !person.startsWith("2")) return false;
  }
  return true;
}

function phraseAt(tokens: readonly Token[], at: number): Phrase | undefined {
  const phrases = BY_FIRST_WORD.get(tokens[at]?.text ?? "");
  return phrases?.find(({ words }) => words.every((word, offset) => tokens[at + offset]?.text === word));
}
