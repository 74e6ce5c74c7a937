import type { PromptItem } from "./analysis.ts";
import { stemWord } from "./analysis-stems.ts";
import { ANTONYMS, NEGATING_PREFIXES, OPPOSED_PREFIXES } from "./analysis-words.ts";

const OPPOSITES = new Map<string, Set<string>>();
for (const [one, other] of ANTONYMS) {
  for (const [from, to] of [
    [stemWord(one), stemWord(other)],
    [stemWord(other), stemWord(one)],
  ] as const) {
    const known = OPPOSITES.get(from);
    if (known === undefined) OPPOSITES.set(from, new Set([to]));
    else known.add(to);
  }
}

/** Whether two stems or particles are opposites by the table alone. */
export function areAntonyms(one: string, other: string): boolean {
  return OPPOSITES.get(one)?.has(other) === true;
}

/** Whether two words are opposites, by the table, by a negating prefix or by -ful and -less. */
export function areOpposite(one: PromptItem, other: PromptItem): boolean {
  if (areAntonyms(one.stem, other.stem)) return true;
  // "Oldest" and "newest": the stemmer keeps degrees.
  for (const degree of ["est", "er"]) {
    if (!one.text.endsWith(degree) || !other.text.endsWith(degree)) continue;
    const bare = (word: string): string => stemWord(word.slice(0, -degree.length));
    if (areAntonyms(bare(one.text), bare(other.text))) return true;
  }
  const [longer, shorter] = one.text.length >= other.text.length ? [one, other] : [other, one];
  if (shorter.stem.length >= 4 && longer.stem !== shorter.stem) {
    if (
      NEGATING_PREFIXES.some(
        (prefix) => longer.stem === prefix + shorter.stem || longer.text === prefix + shorter.text,
      )
    ) {
      return true;
    }
  }
  if (longer.text.endsWith("less") || shorter.text.endsWith("less")) {
    const bare = (word: string): string => word.replace(/(?:less|ful)(?:ly|ness)?$/, "");
    if (bare(longer.text) === bare(shorter.text)) return true;
  }
  return OPPOSED_PREFIXES.some(
    ([a, b]) => swapsPrefix(one.stem, other.stem, a, b) || swapsPrefix(other.stem, one.stem, a, b),
  );
}

function swapsPrefix(one: string, other: string, a: string, b: string): boolean {
  return (
    one.length >= a.length + 3 &&
    one.startsWith(a) &&
    other.startsWith(b) &&
    one.slice(a.length) === other.slice(b.length)
  );
}
