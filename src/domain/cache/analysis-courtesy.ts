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

const PHRASAL = PHRASES.map(([words, target]) => ({ words, tokens: wordTokens(target.join(" ")) }));

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
    const courtesy = opens && isWord ? frameLength(tokens, at, COURTESY) : 0;
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
    const question = opens && isWord && WH.test(token.text) ? questionAt(tokens, at) : undefined;
    const frame = opens && isWord && question === undefined ? frameLength(tokens, at, REQUEST_FRAMES) : 0;
    if (question !== undefined) {
      kept.push(...question.tokens);
      at += question.length;
    } else if (frame > 0) {
      if (asksHow(tokens, at, at + frame)) kept.push(...HOW_TO);
      at += frame;
    } else {
      const skipped = isWord ? phraseLength(tokens, at, EMPTY_PHRASES) : 0;
      const phrase =
        skipped === 0 && isWord
          ? PHRASAL.find(({ words }) => phraseLength(tokens, at, [words]) > 0)
          : undefined;
      if (phrase !== undefined) kept.push(...phrase.tokens);
      else if (skipped === 0) kept.push(token);
      at += Math.max(skipped, phrase?.words.length ?? 1);
    }
    dropped = false;
  }
  return kept;
}

function questionAt(
  tokens: readonly Token[],
  at: number,
): { readonly tokens: readonly Token[]; readonly length: number } | undefined {
  const words = wordsAt(tokens, at);
  for (const { frame, tokens: asked } of QUESTIONS) {
    const match = frame.exec(words)?.[0];
    if (match !== undefined && match !== "") return { tokens: asked, length: match.split(" ").length - 1 };
  }
  return undefined;
}

/** Number of tokens that one of the frames matches at this place, 0 for none. */
function frameLength(tokens: readonly Token[], at: number, frames: readonly RegExp[]): number {
  const words = wordsAt(tokens, at);
  for (const frame of frames) {
    const match = frame.exec(words)?.[0];
    if (match !== undefined && match !== "") return match.split(" ").length - 1;
  }
  return 0;
}

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

/** Whether "you" means anybody: nobody else is spoken of in the rest of the sentence. */
export function isGenericYou(tokens: readonly Token[], at: number): boolean {
  for (let next = at + 1; next < tokens.length && tokens[next]?.kind !== "stop"; next++) {
    const person = PRONOUNS.get(tokens[next]?.text ?? "");
    if (person !== undefined && !person.startsWith("2")) return false;
  }
  return true;
}

function phraseLength(tokens: readonly Token[], at: number, phrases: readonly (readonly string[])[]): number {
  for (const phrase of phrases) {
    if (
      phrase[0] === tokens[at]?.text &&
      phrase.every((word, offset) => tokens[at + offset]?.text === word)
    ) {
      return phrase.length;
    }
  }
  return 0;
}
