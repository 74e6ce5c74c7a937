import { readFileSync } from "node:fs";
import { join } from "node:path";

/** A meaning of a word: a synset of WordNet, and the share of its uses within the part of speech, 0 to 1. */
export interface Sense {
  readonly synset: number;
  readonly share: number;
}

/** What of WordNet concerns the given words. Synsets are numbered from 0. */
export interface WordNet {
  /** Every single word, also rare ones. */
  readonly words: ReadonlySet<string>;
  readonly senses: ReadonlyMap<string, readonly Sense[]>;
  /** The more general synsets of each synset. */
  readonly hypernyms: readonly (readonly number[])[];
  /** Synsets that mean nearly the same or name the quality of each other: "similar to", "attribute", "verb group". */
  readonly related: readonly (readonly number[])[];
  /** The part of speech that a word mostly is, as its place in PARTS. */
  readonly parts: ReadonlyMap<string, number>;
  readonly antonyms: readonly (readonly [string, string])[];
  readonly derivations: readonly (readonly [string, string])[];
}

/** Most senses that are kept of one part of speech. */
const MAX_SENSES = 4;
/** The first sense is always kept; others when they have so much of the uses that WordNet counted. */
const MIN_SHARE = 0.04;

const PARTS = ["noun", "verb", "adj", "adv"] as const;
const PART_OF: Readonly<Record<string, string>> = { n: "noun", v: "verb", a: "adj", s: "adj", r: "adv" };
const PART_DIGITS: Readonly<Record<string, string>> = {
  "1": "noun",
  "2": "verb",
  "3": "adj",
  "4": "adv",
  "5": "adj",
};

interface Pointer {
  readonly symbol: string;
  readonly target: string;
  /** Number of the word in the source and in the target, from 1; 0: all. */
  readonly from: number;
  readonly to: number;
}

interface Synset {
  readonly lemmas: readonly string[];
  readonly pointers: readonly Pointer[];
}

/** Reads the database files of WordNet (wndb(5WN), senseidx(5WN)). */
export function readWordNet(folder: string, words: ReadonlyMap<string, number>): WordNet {
  const synsets = new Map<string, Synset>();
  for (const part of PARTS) readData(folder, part, synsets);
  const counts = readCounts(folder);
  const numbers = new Map<string, number>();
  const numberOf = (key: string): number => {
    const known = numbers.get(key);
    if (known !== undefined) return known;
    numbers.set(key, numbers.size);
    return numbers.size - 1;
  };
  const senses = new Map<string, Sense[]>();
  const all = new Set<string>();
  const parts = new Map<string, { readonly part: number; readonly uses: number }>();
  for (const part of PARTS) {
    for (const line of lines(join(folder, `index.${part}`))) {
      const fields = line.trim().split(" ");
      const lemma = fields[0] ?? "";
      if (/^[a-z]{3,}$/.test(lemma)) all.add(lemma);
      if (!isKept(lemma, part, words)) continue;
      const offsets = fields.slice(-Number(fields[2]));
      const uses = offsets.map((offset) => (counts.get(`${part} ${offset} ${lemma}`) ?? 0) + 0.5);
      const total = uses.reduce((sum, count) => sum + count, 0);
      if (total > (parts.get(lemma)?.uses ?? 0)) parts.set(lemma, { part: PARTS.indexOf(part), uses: total });
      const own = senses.get(lemma) ?? [];
      for (const [rank, offset] of offsets.slice(0, MAX_SENSES).entries()) {
        const share = (uses[rank] ?? 0) / total;
        if (rank === 0 || share >= MIN_SHARE) own.push({ synset: numberOf(`${part} ${offset}`), share });
      }
      senses.set(lemma, own);
    }
  }
  return {
    words: all,
    senses,
    parts: new Map([...parts].map(([lemma, { part }]) => [lemma, part])),
    ...relations(synsets, numbers, numberOf, senses),
  };
}

/** Words of the list, and verbs of two words, such as "turn on". */
function isKept(lemma: string, part: string, words: ReadonlyMap<string, number>): boolean {
  if (words.has(lemma)) return true;
  if (part !== "verb") return false;
  const parts = lemma.split("_");
  return parts.length === 2 && parts.every((one) => words.has(one));
}

function relations(
  synsets: ReadonlyMap<string, Synset>,
  numbers: ReadonlyMap<string, number>,
  numberOf: (key: string) => number,
  senses: ReadonlyMap<string, readonly Sense[]>,
): Omit<WordNet, "senses" | "words" | "parts"> {
  const kept = [...numbers.keys()];
  const hypernyms: number[][] = [];
  const related: number[][] = [];
  const antonyms = new Map<string, readonly [string, string]>();
  const derivations = new Map<string, readonly [string, string]>();
  const addPair = (pairs: Map<string, readonly [string, string]>, one: string, other: string): void => {
    if (one === other || !senses.has(one) || !senses.has(other)) return;
    const pair = one < other ? ([one, other] as const) : ([other, one] as const);
    pairs.set(pair.join(" "), pair);
  };
  const has = (lemma: string, synset: number): boolean =>
    senses.get(lemma)?.some((sense) => sense.synset === synset) === true;
  for (const [number, key] of kept.entries()) {
    hypernyms[number] = [];
    related[number] = [];
    const synset = synsets.get(key);
    for (const { symbol, target, from, to } of synset?.pointers ?? []) {
      if (symbol === "@") hypernyms[number].push(numberOf(target));
      else if (["&", "=", "$"].includes(symbol) && numbers.has(target))
        related[number].push(numberOf(target));
      else if (["!", "+", "\\"].includes(symbol) && numbers.has(target)) {
        const counterpart = synsets.get(target);
        const [one, other] = [synset?.lemmas[from - 1] ?? "", counterpart?.lemmas[to - 1] ?? ""];
        addPair(symbol === "!" ? antonyms : derivations, one, other);
        if (symbol !== "!") continue;
        // "Correct" and "right" are both the opposite of "incorrect" and of "wrong".
        for (const a of synset?.lemmas ?? []) {
          for (const b of counterpart?.lemmas ?? []) {
            if (has(a, number) && has(b, numberOf(target))) addPair(antonyms, a, b);
          }
        }
      }
    }
  }
  for (let number = kept.length; number < numbers.size; number += 1) {
    hypernyms[number] = [];
    related[number] = [];
  }
  return { hypernyms, related, antonyms: [...antonyms.values()], derivations: [...derivations.values()] };
}

function readData(folder: string, part: string, synsets: Map<string, Synset>): void {
  for (const line of lines(join(folder, `data.${part}`))) {
    const fields = (line.split(" | ")[0] ?? "").split(" ");
    const count = Number.parseInt(fields[3] ?? "", 16);
    const lemmas: string[] = [];
    for (let at = 0; at < count; at += 1) {
      lemmas.push((fields[4 + at * 2] ?? "").replace(/\(.*\)$/, "").toLowerCase());
    }
    const start = 4 + count * 2;
    const pointers: Pointer[] = [];
    for (let at = 0; at < Number(fields[start]); at += 1) {
      const [symbol = "", offset = "", pos = "", words = ""] = fields.slice(
        start + 1 + at * 4,
        start + 5 + at * 4,
      );
      const [from, to] = [Number.parseInt(words.slice(0, 2), 16), Number.parseInt(words.slice(2), 16)];
      pointers.push({ symbol, target: `${PART_OF[pos]} ${offset}`, from, to });
    }
    synsets.set(`${part} ${fields[0]}`, { lemmas, pointers });
  }
}

/** How often each sense was found in the texts that WordNet's authors tagged. */
function readCounts(folder: string): Map<string, number> {
  const counts = new Map<string, number>();
  for (const line of lines(join(folder, "index.sense"))) {
    const [key = "", offset = "", , count = "0"] = line.split(" ");
    if (count === "0") continue;
    const [lemma = "", rest = ""] = key.split("%");
    counts.set(`${PART_DIGITS[rest.charAt(0)]} ${offset} ${lemma}`, Number(count));
  }
  return counts;
}

function lines(file: string): string[] {
  return readFileSync(file, "latin1")
    .split("\n")
    .filter((line) => line !== "" && !line.startsWith("  "));
}
