import { HASHING_MODEL } from "../../domain/embedding/built-in-models.ts";
import { addWord, atUnitLength } from "../../domain/text/hashed-features.ts";
import { STOP_WORDS } from "../../domain/text/stop-words.ts";
import { wordsOf } from "../../domain/text/terms.ts";
import { yieldToEventLoop } from "../../lib/yield-to-event-loop.ts";
import type { EmbeddedText, Embedder } from "../../ports/embedding/embedder.ts";

/** A character n-gram counts less than the word it is part of; a stop word less than a telling one. */
const NGRAM_WEIGHT = 0.35;
const STOP_WORD_WEIGHT = 0.3;
/** Some milliseconds of work. */
const CHARACTERS_BEFORE_YIELD = 32 * 1024;

/**
 * Hashes the words of a text and their character n-grams into the vector. Deterministic, offline, of any dimension. It
 * finds the same wording (inflections, typos, other order), not the same meaning.
 */
export function createHashingEmbedder(dimension: number): Embedder {
  return {
    identity: { ...HASHING_MODEL, dimension },
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
    addWord(vector, word, weight, weight * NGRAM_WEIGHT);
  }
  return { vector: atUnitLength(vector, text), truncated: false };
}
