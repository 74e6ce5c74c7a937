import { stemmer } from "stemmer";
import { IRREGULAR_PASTS } from "./analysis-words.ts";

/** One spelling for forms that the stemmer does not cover: British endings and irregular pasts. */
export function levelWord(word: string): string {
  const base = IRREGULAR_PASTS.get(word) ?? word;
  if (base.length < 6) return base;
  return base.replace(/is(e|es|ed|ing|ation|ations)$/, "iz$1").replace(/our(?=$|s$|ed$|ing$)/, "or");
}

/** The common stem of the forms of a word. Coarse: the guard compares the endings too. */
export function stemWord(word: string): string {
  const level = levelWord(word);
  return level.length < 4 ? level : stemmer(level);
}
