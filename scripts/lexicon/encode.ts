import { brotliCompressSync, constants } from "node:zlib";
import type { WordNet } from "./wordnet.ts";

/** The file of a lexicon; src/adapters/lexicon/lexicon-file.ts describes it. */
export function encodeLexicon(levels: ReadonlyMap<string, number>, wordnet: WordNet): Buffer {
  const words = [...new Set([...levels.keys(), ...wordnet.senses.keys()])].sort();
  const places = new Map(words.map((word, place) => [word, place]));
  const senses = words.map((word) => wordnet.senses.get(word) ?? []);
  const pairs = (list: readonly (readonly [string, string])[]): number[] =>
    list
      .map(([one, other]) => [places.get(one) ?? 0, places.get(other) ?? 0] as const)
      .sort((a, b) => a[0] - b[0] || a[1] - b[1])
      .flat();
  const text = Buffer.from(words.join("\n"));
  const sections: Buffer[] = [
    text,
    Buffer.from(words.map((word) => levels.get(word) ?? 255)),
    Buffer.from(senses.map((list) => list.length)),
    numbers(senses.flatMap((list) => list.map(({ synset }) => synset))),
    Buffer.from(senses.flatMap((list) => list.map(({ share }) => Math.round(share * 255)))),
    Buffer.from(wordnet.hypernyms.map((list) => list.length)),
    numbers(wordnet.hypernyms.flat()),
    Buffer.from(wordnet.related.map((list) => list.length)),
    numbers(wordnet.related.flat()),
    numbers(pairs(wordnet.antonyms)),
    numbers(pairs(wordnet.derivations)),
    Buffer.from(words.map((word) => wordnet.parts.get(word) ?? 255)),
  ];
  const body = Buffer.concat([numbers(sections.map(({ length }) => length)), ...sections]);
  const packed = brotliCompressSync(body, {
    params: {
      [constants.BROTLI_PARAM_QUALITY]: constants.BROTLI_MAX_QUALITY,
      [constants.BROTLI_PARAM_LGWIN]: constants.BROTLI_MAX_WINDOW_BITS,
      [constants.BROTLI_PARAM_SIZE_HINT]: body.length,
    },
  });
  return Buffer.concat([Buffer.from("RECOLEX1"), packed]);
}

/** Three bytes each, little-endian. */
function numbers(values: readonly number[]): Buffer {
  const bytes = Buffer.alloc(values.length * 3);
  for (const [at, value] of values.entries()) bytes.writeUIntLE(value, at * 3, 3);
  return bytes;
}
