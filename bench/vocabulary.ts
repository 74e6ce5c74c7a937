import { integer, pick, type Random, randomOf } from "./random.ts";

const SIZE = 20_000;
/** Zipf exponent; natural languages are near 1: the second word is half as frequent as the first, the tenth a tenth. */
const ZIPF_EXPONENT = 1.05;
const SEED = 1;

/** The most frequent English words; keyword search ignores most of them as stop words. */
export const FUNCTION_WORDS =
  "the of and to a in is it that for was on are with as be this have from or had by but not what all were when we there can an your which their if will each about how up out them then she many some so these would other into has more her two like him see time could no make than been its who now people my made over did down only way find use may long little very after words called just where most know".split(
    " ",
  );
const ONSETS =
  "b bl br c ch cl cr d dr f fl fr g gl gr h j k l m n p pl pr qu r s sc sh sl sp st str t th tr v w".split(
    " ",
  );
const VOWELS = "a e i o u ai ea ee oa ou".split(" ");
const CODAS = ["", "", "", "l", "m", "n", "nd", "nt", "r", "rd", "rn", "s", "st", "t", "ck", "ng"];

const WORDS = makeWords();
const CUMULATIVE = makeCumulative();

/** A word, as frequent as its rank in the vocabulary makes it. */
export function word(random: Random): string {
  const at = random() * (CUMULATIVE.at(-1) ?? 0);
  let low = 0;
  let high = SIZE - 1;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if ((CUMULATIVE[middle] ?? 0) > at) high = middle;
    else low = middle + 1;
  }
  return WORDS[low] ?? "the";
}

/** Function words, then invented words of one to four syllables, whose letter n-grams hash like those of real words. */
function makeWords(): readonly string[] {
  const random = randomOf(SEED);
  const words = new Set(FUNCTION_WORDS);
  while (words.size < SIZE) {
    const syllables = Array.from(
      { length: integer(random, 1, 4) },
      () => pick(random, ONSETS) + pick(random, VOWELS),
    );
    words.add(syllables.join("") + pick(random, CODAS));
  }
  return [...words];
}

function makeCumulative(): Float64Array {
  const cumulative = new Float64Array(SIZE);
  let sum = 0;
  for (let rank = 0; rank < SIZE; rank += 1) {
    sum += 1 / (rank + 1) ** ZIPF_EXPONENT;
    cumulative[rank] = sum;
  }
  return cumulative;
}
