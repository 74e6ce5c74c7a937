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
  /** Pairs of words, sorted, the smaller number first. */
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

export class EnglishLexicon implements Lexicon {
  readonly #tables: LexiconTables;
  readonly #places = new Map<string, number>();

  constructor(tables: LexiconTables) {
    this.#tables = tables;
    const { starts } = tables.senses;
    // Only words with senses: a map of all takes three times as long to make.
    for (let place = 0; place < tables.words.length; place += 1) {
      if (starts[place] !== starts[place + 1]) this.#places.set(tables.words[place] ?? "", place);
    }
  }

  level(word: string): number | undefined {
    const { words, levels } = this.#tables;
    const place = search(words.length, (at) => (words[at] ?? "") < word);
    const level = words[place] === word ? levels[place] : UNLISTED;
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
    if (pairs.some((pair) => hasPair(this.#tables.antonyms, ...pair))) return "antonym";
    if (pairs.some(([a, b]) => this.#shareSense(a, b))) return "synonym";
    if (pairs.some((pair) => hasPair(this.#tables.derivations, ...pair) || this.#areRelated(...pair)))
      return "derivation";
    if (pairs.some(([a, b]) => this.#isHypernym(a, b) || this.#isHypernym(b, a))) return "hypernym";
    return pairs.some(([a, b]) => this.#areSiblings(a, b)) ? "sibling" : undefined;
  }

  overlap(one: string, other: string): number {
    const [ones, others] = [this.#lemmas(one), this.#lemmas(other)];
    return Math.max(0, ...ones.flatMap((a) => others.map((b) => this.#commonUse(a, b))));
  }

  /** The places of the base forms that a word may be a form of, itself first. */
  #lemmas(word: string): number[] {
    const places = new Set<number>();
    const add = (form: string | undefined): void => {
      const place = form === undefined ? undefined : this.#places.get(form);
      if (place !== undefined) places.add(place);
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

  #commonUse(one: number, other: number): number {
    if (one === other) return 1;
    const senses = this.#sensesOf(other);
    let best = 0;
    for (const [at, sense] of this.#sensesOf(one).entries()) {
      const place = senses.indexOf(sense);
      if (place >= 0) best = Math.max(best, Math.min(this.#share(one, at), this.#share(other, place)));
    }
    return best / 255;
  }

  #share(word: number, sense: number): number {
    return this.#tables.shares[(this.#tables.senses.starts[word] ?? 0) + sense] ?? 0;
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

/** The first place, of so many in order, that is not before what is looked for. */
function search(length: number, isBefore: (place: number) => boolean): number {
  let [from, to] = [0, length];
  while (from < to) {
    const middle = (from + to) >>> 1;
    if (isBefore(middle)) from = middle + 1;
    else to = middle;
  }
  return from;
}

/** Whether sorted pairs, each with its smaller number first, contain this one. */
function hasPair(pairs: Uint32Array, one: number, other: number): boolean {
  const [low, high] = one < other ? [one, other] : [other, one];
  const place = search(pairs.length / 2, (at) => {
    const first = pairs[at * 2] ?? 0;
    return first < low || (first === low && (pairs[at * 2 + 1] ?? 0) < high);
  });
  return pairs[place * 2] === low && pairs[place * 2 + 1] === high;
}
