import type { Token } from "./analysis-tokens.ts";
import { ANSWERS, EMPTY_PHRASES, FILLERS, POLITE_OPENINGS } from "./analysis-words.ts";

/** Drops courtesy and filler, which change no answer. Openings only count where a sentence begins. */
export function withoutCourtesy(tokens: readonly Token[]): Token[] {
  const kept: Token[] = [];
  let at = 0;
  while (at < tokens.length) {
    const token = tokens[at];
    if (token === undefined) break;
    const last = kept.at(-1);
    const opens = last === undefined || last.kind === "stop" || last.kind === "pause";
    const skipped =
      token.kind !== "word"
        ? 0
        : (opens ? phraseLength(tokens, at, POLITE_OPENINGS) || requestLength(tokens, at) : 0) ||
          phraseLength(tokens, at, EMPTY_PHRASES) ||
          (FILLERS.has(token.text) ? 1 : 0);
    if (skipped === 0) kept.push(token);
    at += Math.max(skipped, 1);
  }
  return kept;
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

function requestLength(tokens: readonly Token[], at: number): number {
  const asks =
    ["can", "could", "would", "will"].includes(tokens[at]?.text ?? "") && tokens[at + 1]?.text === "you";
  return asks && ANSWERS.has(tokens[at + 2]?.text ?? "") ? 2 : 0;
}
