/**
 * Feature hashing (Weinberger et al., "Feature Hashing for Large Scale Multitask Learning", 2009) of words and of
 * character n-grams inside words: each feature adds its weight, with a sign of its own, at one place of the vector.
 */

/** A kind of feature: the same letters as a word and as an n-gram are two features. */
export type FeatureKind = number;

const [WORD, NGRAM, TEXT] = ["w ", "g ", "t "].map((kind) => fnv1a(0x811c9dc5, kind, 0, kind.length)) as [
  FeatureKind,
  FeatureKind,
  FeatureKind,
];

const NGRAM_SIZES = [3, 4] as const;

type Vector = Float32Array | Float64Array;

/**
 * Adds a word, and its n-grams of 3 and 4 characters with `ngramWeight` each. The ends of the word are characters of
 * their own.
 */
export function addWord(vector: Vector, word: string, weight: number, ngramWeight: number): void {
  add(vector, mixed(fnv1a(WORD, word, 0, word.length)), weight);
  const framed = `<${word}>`;
  for (const size of NGRAM_SIZES) {
    for (let start = 0; start + size <= framed.length; start += 1) {
      add(vector, mixed(fnv1a(NGRAM, framed, start, start + size)), ngramWeight);
    }
  }
}

/** How many features `addWord` adds beside the word itself. */
export function ngramsIn(word: string): number {
  const framed = word.length + 2;
  return NGRAM_SIZES.reduce((sum, size) => sum + Math.max(0, framed - size + 1), 0);
}

/** The vector scaled to length 1. One of zeros (a text without words, or whose features cancel out) becomes the text's own direction. */
export function atUnitLength(vector: Vector, text: string): Float32Array {
  let sum = 0;
  for (const value of vector) sum += value * value;
  if (sum === 0) {
    add(vector, mixed(fnv1a(TEXT, text, 0, text.length)), 1);
    return Float32Array.from(vector);
  }
  const length = Math.sqrt(sum);
  const scaled = new Float32Array(vector.length);
  for (let index = 0; index < scaled.length; index += 1) scaled[index] = (vector[index] ?? 0) / length;
  return scaled;
}

/** `hash` is a feature's. */
function add(vector: Vector, hash: number, weight: number): void {
  const place = (hash >>> 1) % vector.length;
  vector[place] = (vector[place] ?? 0) + ((hash & 1) === 0 ? weight : -weight);
}

/** FNV-1a over UTF-16 units, from `hash` on. A part of a text is no text of its own: most features are one letter apart. */
function fnv1a(hash: number, text: string, start: number, end: number): number {
  let value = hash;
  for (let index = start; index < end; index += 1) {
    value = Math.imul(value ^ text.charCodeAt(index), 0x01000193);
  }
  return value;
}

/** murmur3's last step, so that the low bits are as good as the high. */
function mixed(hash: number): number {
  let value = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
  value = Math.imul(value ^ (value >>> 13), 0xc2b2ae35);
  return (value ^ (value >>> 16)) >>> 0;
}
