import { countTokens, setMergeCacheSize } from "gpt-tokenizer/encoding/o200k_base";

/** Names of special tokens in a text are text. */
const OPTIONS = { allowedSpecial: new Set<string>(), disallowedSpecial: new Set<string>() };
/** The library keeps the tokens of words it has seen; its default of 100,000 takes 100 MB. */
const CACHED_WORDS = 10_000;
/**
 * A run without white space is split after so many characters: the library takes a time that rises with the square of the
 * length of a word, for 65,536 equal Han characters over a minute. Each split adds at most one token.
 */
const MAX_RUN = 128;
const LONG_RUN = /\S{129,}/gu;
const PIECE = new RegExp(`.{1,${MAX_RUN}}`, "gsu");

setMergeCacheSize(CACHED_WORDS);

/** The number of o200k tokens of a text: exact unless it has a run of more than 128 characters without white space. */
export function countO200k(text: string): number {
  let count = 0;
  let end = 0;
  for (const { 0: run, index } of text.matchAll(LONG_RUN)) {
    count += countTokens(text.slice(end, index), OPTIONS);
    for (const [piece] of run.matchAll(PIECE)) count += countTokens(piece, OPTIONS);
    end = index + run.length;
  }
  return count + countTokens(end === 0 ? text : text.slice(end), OPTIONS);
}
