/**
 * How two words are related. `synonym`: they share a meaning; `derivation`: one is made from the other, or names its
 * quality ("tall", "height"); `hypernym`: one is the more general; `antonym`: they are opposites; `sibling`: two kinds of
 * the same thing.
 */
export type WordRelation = "synonym" | "derivation" | "hypernym" | "antonym" | "sibling";

export type PartOfSpeech = "noun" | "verb" | "adjective" | "adverb";

/** What is known of English words. Words are in lower case and may be inflected. */
export interface Lexicon {
  /** 0 for the most common words, then 1, 2 and so on; undefined: no common word. */
  level(word: string): number | undefined;
  /** What the word mostly is; undefined: unknown. */
  partOfSpeech(word: string): PartOfSpeech | undefined;
  /** Undefined: unrelated, or one of them is unknown. */
  relation(one: string, other: string): WordRelation | undefined;
  /** How much of the use of both words has a meaning in common, 0 to 1: the lesser share of their best shared meaning. */
  overlap(one: string, other: string): number;
}

/** Knows no word. */
export const EMPTY_LEXICON: Lexicon = {
  level: () => undefined,
  partOfSpeech: () => undefined,
  relation: () => undefined,
  overlap: () => 0,
};
