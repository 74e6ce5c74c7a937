import { IRREGULAR_PASTS } from "./analysis-words.ts";
import type { Lexicon, PartOfSpeech, WordRelation } from "./lexicon.ts";

/** Lists of numbers, one after the other: list `n` is at `starts[n]` up to `starts[n + 1]`. */
interface Lists {
  readonly starts: Uint32Array;
  readonly values: Uint32Array;
}

/** The content of a lexicon file. Words are numbered by their place, meanings (synsets) from 0. */
export interface LexiconTables {
  readonly words: readonly string[];
  /** Of each word; {@link UNLISTED}: it is not in the word list. */
  readonly levels: Uint8Array;
  /** The meanings of each word, in each part of speech the most frequent first. */
  readonly senses: Lists;
  /** Of each sense: the share of the uses of the word, in 255ths. */
  readonly shares: Uint8Array;
  readonly hypernyms: Lists;
  readonly related: Lists;
  /** Pairs of words. */
  readonly antonyms: Uint32Array;
  readonly derivations: Uint32Array;
  /** Of each word: its place in {@link PARTS}; others: unknown. */
  readonly parts: Uint8Array;
}

const PARTS: readonly PartOfSpeech[] = ["noun", "verb", "adjective", "adverb"];

const UNLISTED = 255;

const SUFFIXES: readonly (readonly [string, string])[] = [
  ["ies", "y"],
  ["ied", "y"],
  ["ier", "y"],
  ["iest", "y"],
  ["es", ""],
  ["es", "e"],
  ["s", ""],
  ["ed", ""],
  ["ed", "e"],
  ["ing", ""],
  ["ing", "e"],
  ["er", ""],
  ["er", "e"],
  ["est", ""],
  ["est", "e"],
];

/** Pairs of word numbers in one number. */
const PAIR = 2 ** 24;

export class EnglishLexicon implements Lexicon {
  readonly #tables: LexiconTables;
  readonly #places = new Map<string, number>();
  readonly #antonyms: ReadonlySet<number>;
  readonly #derivations: ReadonlySet<number>;

  constructor(tables: LexiconTables) {
    this.#tables = tables;
    for (const [place, word] of tables.words.entries()) this.#places.set(word, place);
    this.#antonyms = pairSet(tables.antonyms);
    this.#derivations = pairSet(tables.derivations);
  }

  level(word: string): number | undefined {
    const place = this.#places.get(word);
    const level = place === undefined ? UNLISTED : this.#tables.levels[place];
    return level === UNLISTED ? undefined : level;
  }

  partOfSpeech(word: string): PartOfSpeech | undefined {
    for (const place of this.#lemmas(word)) {
      const part = PARTS[this.#tables.parts[place] ?? UNLISTED];
      if (part !== undefined) return part;
    }
    return undefined;
  }

  relation(one: string, other: string): WordRelation | undefined {
    const [ones, others] = [this.#lemmas(one), this.#lemmas(other)];
    const pairs = ones.flatMap((a) => others.map((b) => [a, b] as const));
    if (pairs.some(([a, b]) => a === b)) return "synonym";
    if (pairs.some((pair) => this.#antonyms.has(pairKey(...pair)))) return "antonym";
    if (pairs.some(([a, b]) => this.#shareSense(a, b))) return "synonym";
    if (pairs.some((pair) => this.#derivations.has(pairKey(...pair)) || this.#areRelated(...pair)))
      return "derivation";
    if (pairs.some(([a, b]) => this.#isHypernym(a, b) || this.#isHypernym(b, a))) return "hypernym";
    return pairs.some(([a, b]) => this.#areSiblings(a, b)) ? "sibling" : undefined;
  }

  /** The places of the base forms that a word may be a form of, itself first. */
  #lemmas(word: string): number[] {
    const places = new Set<number>();
    const add = (form: string | undefined): void => {
      const place = form === undefined ? undefined : this.#places.get(form);
      if (place !== undefined && this.#sensesOf(place).length > 0) places.add(place);
    };
    add(word);
    add(IRREGULAR_PASTS.get(word));
    for (const [ending, base] of SUFFIXES) {
      if (!word.endsWith(ending)) continue;
      const stem = word.slice(0, -ending.length);
      add(stem + base);
      // "Stopped": a doubled consonant belongs to the ending.
      if (base === "" && stem.at(-1) === stem.at(-2)) add(stem.slice(0, -1));
    }
    return [...places];
  }

  #sensesOf(place: number): Uint32Array {
    return list(this.#tables.senses, place);
  }

  #shareSense(one: number, other: number): boolean {
    const senses = this.#sensesOf(other);
    return this.#sensesOf(one).some((sense) => senses.includes(sense));
  }

  #areRelated(one: number, other: number): boolean {
    const senses = this.#sensesOf(other);
    return this.#sensesOf(one).some((sense) =>
      list(this.#tables.related, sense).some((related) => senses.includes(related)),
    );
  }

  #isHypernym(general: number, special: number): boolean {
    const senses = this.#sensesOf(general);
    return this.#sensesOf(special).some((sense) =>
      list(this.#tables.hypernyms, sense).some((hypernym) => senses.includes(hypernym)),
    );
  }

  #areSiblings(one: number, other: number): boolean {
    const parents = new Set<number>();
    for (const sense of this.#sensesOf(one)) {
      for (const hypernym of list(this.#tables.hypernyms, sense)) parents.add(hypernym);
    }
    return this.#sensesOf(other).some((sense) =>
      list(this.#tables.hypernyms, sense).some((hypernym) => parents.has(hypernym)),
    );
  }
}

function list({ starts, values }: Lists, at: number): Uint32Array {
  return values.subarray(starts[at], starts[at + 1]);
}

function pairKey(one: number, other: number): number {
  return one < other ? one * PAIR + other : other * PAIR + one;
}

function pairSet(pairs: Uint32Array): Set<number> {
  const set = new Set<number>();
  for (let at = 0; at < pairs.length; at += 2) set.add(pairKey(pairs[at] ?? 0, pairs[at + 1] ?? 0));
  return set;
}
