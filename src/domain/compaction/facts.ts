import { analyzeStatement } from "../cache/analysis.ts";
import type { Lexicon } from "../cache/lexicon.ts";
import { readStatement } from "./statement.ts";

/** Longest part of a text that is read at once; the analysis takes no longer one. */
const MAX_PART = 2_000;
const SENTENCES = /[^.!?\n]*(?:[.!?](?!\s|$)[^.!?\n]*)*(?:[.!?]+(?=\s|$)|\n|$)/gu;

/** The sentences of a text, in order, without white space around them; a line is one at least. */
export function sentencesOf(text: string): readonly string[] {
  return (text.match(SENTENCES) ?? [])
    .map((sentence) => sentence.trim())
    .filter((sentence) => sentence !== "");
}

/**
 * The numbers with their units, dates, times, codes and names in a text, each in one spelling: "five kilometres" and "5 km" are
 * one fact. Deterministic; what it does not recognise is in no fact.
 */
export function factsOf(text: string, lexicon: Lexicon): ReadonlySet<string> {
  const facts = new Set<string>();
  for (const sentence of sentencesOf(text)) {
    if (!/[\p{L}\p{N}]/u.test(sentence)) continue;
    for (let from = 0; from < sentence.length; from += MAX_PART) {
      const { analysis } = readStatement(sentence.slice(from, from + MAX_PART), lexicon);
      for (const { kind, text: shown } of analysis.items) {
        if (kind === "number" || kind === "date" || kind === "code") facts.add(`${kind} ${shown}`);
        if (kind === "name") facts.add(`name ${shown.toLowerCase()}`);
      }
      if (analysis.language === "other") addForeign(sentence.slice(from, from + MAX_PART), facts);
    }
  }
  return facts;
}

/** Without rules for the language a capitalised word behind another word of the sentence may be a name. */
function addForeign(sentence: string, facts: Set<string>): void {
  for (const [, word = ""] of sentence.matchAll(/[\p{Ll},]\s+(\p{Lu}[\p{L}\p{M}]+)/gu)) {
    facts.add(`name ${word.toLowerCase()}`);
  }
}

/** The words of a text with a meaning of their own, by their stems: what a summary may not invent. */
export function wordsOf(text: string): ReadonlySet<string> {
  const words = new Set<string>();
  for (const sentence of sentencesOf(text)) {
    for (let from = 0; from < sentence.length; from += MAX_PART) {
      for (const { stem } of analyzeStatement(sentence.slice(from, from + MAX_PART)).items) words.add(stem);
    }
  }
  return words;
}
