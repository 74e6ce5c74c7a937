import { STOP_WORDS } from "../../domain/text/stop-words.ts";
import { wordsOf } from "../../domain/text/terms.ts";
import { yieldToEventLoop } from "../../lib/yield-to-event-loop.ts";
import type { EmbeddedText, Embedder } from "../../ports/embedding/embedder.ts";

/** Changes whenever the same text would get another vector. */
const MODEL = "hashing-1";

/** A character n-gram counts less than the word it is part of; a stop word less than a telling one. */
const NGRAM_WEIGHT = 0.35;
const STOP_WORD_WEIGHT = 0.3;
/** Some milliseconds of work. */
const CHARACTERS_BEFORE_YIELD = 32 * 1024;

const NGRAM_SIZES = [3, 4] as const;

/**
 * Feature hashing (Weinberger et al., "Feature Hashing for Large Scale Multitask Learning", 2009) of words and
 * of character n-grams inside words: each feature adds its weight, with a sign of its own, at one place of the
 * vector. Deterministic, offline, of any dimension. It finds the same wording (inflections, typos, other order),
 * not the same meaning.
 */
export function createHashingEmbedder(dimension: number): Embedder {
  return {
    identity: { provider: "hashing", model: MODEL, dimension },
    embed: async (texts, signal) => {
      signal.throwIfAborted();
      const embedded: EmbeddedText[] = [];
      let characters = 0;
      for (const text of texts) {
        signal.throwIfAborted();
        embedded.push(embedText(text, dimension));
        characters += text.length;
        if (characters < CHARACTERS_BEFORE_YIELD) continue;
        characters = 0;
        await yieldToEventLoop();
      }
      return embedded;
    },
  };
}

function embedText(text: string, dimension: number): EmbeddedText {
  const vector = new Float32Array(dimension);
  const counts = new Map<string, number>();
  for (const word of wordsOf(text)) counts.set(word, (counts.get(word) ?? 0) + 1);
  for (const [word, count] of counts) {
    // The tenth repetition says less than the first.
    const weight = (STOP_WORDS.has(word) ? STOP_WORD_WEIGHT : 1) * (1 + Math.log(count));
    add(vector, mixed(fnv1a(WORD, word, 0, word.length)), weight);
    const framed = `<${word}>`;
    for (const size of NGRAM_SIZES) {
      for (let start = 0; start + size <= framed.length; start += 1) {
        add(vector, mixed(fnv1a(NGRAM, framed, start, start + size)), weight * NGRAM_WEIGHT);
      }
    }
  }
  return { vector: atUnitLength(vector, text), truncated: false };
}

/** `hash` is a feature's. */
function add(vector: Float32Array, hash: number, weight: number): void {
  const place = (hash >>> 1) % vector.length;
  vector[place] = (vector[place] ?? 0) + ((hash & 1) === 0 ? weight : -weight);
}

/** Every vector has a direction: a text without words (or whose features cancel out) gets one of its own. */
function atUnitLength(vector: Float32Array, text: string): Float32Array {
  let sum = 0;
  for (const value of vector) sum += value * value;
  if (sum === 0) {
    add(vector, mixed(fnv1a(TEXT, text, 0, text.length)), 1);
    return vector;
  }
  const length = Math.sqrt(sum);
  return vector.map((value) => value / length);
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

/** Where the hash of each kind of feature begins: a word and an n-gram of the same letters are two features. */
const [WORD, NGRAM, TEXT] = ["w ", "g ", "t "].map((kind) => fnv1a(0x811c9dc5, kind, 0, kind.length)) as [
  number,
  number,
  number,
];
