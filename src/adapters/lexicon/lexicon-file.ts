import { readFile } from "node:fs/promises";
import { brotliDecompressSync } from "node:zlib";
import { EnglishLexicon } from "../../domain/cache/english-lexicon.ts";
import type { Lexicon } from "../../domain/cache/lexicon.ts";

const FILE = new URL("./english.bin", import.meta.url);
const MAGIC = "RECOLEX1";
const SECTIONS = 12;

/**
 * Reads the lexicon that scripts/lexicon/make.ts has written: magic, then one Brotli stream of the lengths of twelve
 * sections and the sections: the words, sorted, one a line; the level of each (255: only in WordNet); its number of
 * senses; the synsets of the senses, then their shares in 255ths; of each synset the number of its hypernyms, and these;
 * the number of its related synsets, and these; pairs of antonyms; pairs of derived words; the part of
 * speech of each word (255: unknown). Numbers are little-endian: of
 * three bytes, or of one for counts, levels and shares. Rejects when the file is damaged.
 */
export async function openLexicon(): Promise<Lexicon> {
  const content = await readFile(FILE);
  if (content.toString("latin1", 0, MAGIC.length) !== MAGIC) throw damaged();
  let body: Buffer;
  try {
    body = brotliDecompressSync(content.subarray(MAGIC.length));
  } catch (error) {
    throw damaged(error);
  }
  const lengths = numbers(body.subarray(0, SECTIONS * 3));
  const sections: Buffer[] = [];
  let start = SECTIONS * 3;
  for (const length of lengths) {
    sections.push(body.subarray(start, start + length));
    start += length;
  }
  const [text, levels, senseCounts, senses, shares, ...relations] = sections;
  const [hypernymCounts, hypernyms, relatedCounts, related, antonyms, derivations, parts] = relations;
  const bytes = (section: Buffer | undefined): Uint8Array => {
    if (section === undefined) throw damaged();
    return Uint8Array.from(section);
  };
  return new EnglishLexicon({
    words: (text ?? Buffer.alloc(0)).toString("latin1").split("\n"),
    levels: bytes(levels),
    senses: { starts: starts(senseCounts), values: numbers(senses) },
    shares: bytes(shares),
    hypernyms: { starts: starts(hypernymCounts), values: numbers(hypernyms) },
    related: { starts: starts(relatedCounts), values: numbers(related) },
    antonyms: numbers(antonyms),
    derivations: numbers(derivations),
    parts: bytes(parts),
  });
}

function damaged(cause?: unknown): Error {
  return new Error(`${FILE.pathname} is damaged; restore it from the release`, { cause });
}

function numbers(section: Buffer | undefined): Uint32Array {
  if (section === undefined) throw damaged();
  const values = new Uint32Array(section.length / 3);
  for (let at = 0, byte = 0; at < values.length; at += 1, byte += 3) {
    const [low = 0, middle = 0, high = 0] = [section[byte], section[byte + 1], section[byte + 2]];
    values[at] = low | (middle << 8) | (high << 16);
  }
  return values;
}

function starts(counts: Buffer | undefined): Uint32Array {
  if (counts === undefined) throw damaged();
  const sums = new Uint32Array(counts.length + 1);
  for (let at = 0; at < counts.length; at += 1) sums[at + 1] = (sums[at] ?? 0) + (counts[at] ?? 0);
  return sums;
}
