import type { Lexicon } from "../cache/lexicon.ts";
import { factsOf, wordsOf } from "./facts.ts";
import { requiredFacts, type SummaryLimits, type SummarySource } from "./summary.ts";

/** Why the answer of a language model is not used. The extract is used instead. */
export type SummaryRejection =
  /** Not JSON, not an object, or not exactly the field `summary` with a text. */
  | "SCHEMA"
  | "EMPTY"
  /** More tokens than allowed, or than the sources have. */
  | "TOO_LONG"
  /** A number, date or name that the sources agree on is missing. */
  | "MISSING_FACT"
  /** It has a number, date or name that no source has. */
  | "INVENTED_FACT"
  /** Most of its words are in no source. */
  | "UNRELATED";

export type SummaryVerdict =
  | { readonly summary: string }
  | { readonly rejection: SummaryRejection; readonly facts: readonly string[] };

/** The JSON schema that a language model is asked for; {@link validateSummary} accepts nothing else. */
export const SUMMARY_SCHEMA = {
  type: "object",
  properties: { summary: { type: "string" } },
  required: ["summary"],
  additionalProperties: false,
} as const;

/** At least this share of the words of a summary must be words of its sources. */
const MIN_SHARED = 0.6;

/**
 * Whether the raw answer of a language model is a summary of these sources. The answer is text from outside: a source may have
 * asked the model for anything. What passes has all facts that `agreement` sources have, no fact of its own, mostly words of
 * the sources, and is no longer than allowed.
 */
export function validateSummary(
  answer: string,
  sources: readonly SummarySource[],
  { maxTokens, agreement }: SummaryLimits,
  countTokens: (text: string) => number,
  lexicon: Lexicon,
): SummaryVerdict {
  const summary = readAnswer(answer);
  if (summary === undefined) return { rejection: "SCHEMA", facts: [] };
  if (summary === "") return { rejection: "EMPTY", facts: [] };
  const tokens = countTokens(summary);
  const all = sources.reduce((sum, { text, author }) => sum + countTokens(text) + countTokens(author), 0);
  if (tokens > maxTokens || tokens > all) return { rejection: "TOO_LONG", facts: [] };
  const own = factsOf(summary, lexicon);
  const missing = [...requiredFacts(sources, agreement, lexicon)].filter((fact) => !own.has(fact));
  if (missing.length > 0) return { rejection: "MISSING_FACT", facts: missing };
  const known = requiredFacts(sources, 1, lexicon);
  const words = new Set(sources.flatMap(({ text, author }) => [...wordsOf(`${author} ${text}`)]));
  const invented = [...own].filter((fact) => !known.has(fact) && !isWordOf(fact, words));
  if (invented.length > 0) return { rejection: "INVENTED_FACT", facts: invented };
  const used = [...wordsOf(summary)];
  const shared = used.filter((word) => words.has(word)).length;
  if (shared < MIN_SHARED * used.length) return { rejection: "UNRELATED", facts: [] };
  return { summary };
}

/** The text, trimmed; undefined unless the answer is exactly what the schema says. */
function readAnswer(answer: string): string | undefined {
  let value: unknown;
  try {
    value = JSON.parse(answer);
  } catch (error) {
    if (error instanceof SyntaxError) return undefined;
    throw error;
  }
  if (typeof value !== "object" || value === null || Array.isArray(value)) return undefined;
  const entries = Object.entries(value);
  const [entry] = entries;
  if (entries.length !== 1 || entry?.[0] !== "summary" || typeof entry[1] !== "string") return undefined;
  // Lone surrogates and control characters are no text.
  if (!entry[1].isWellFormed() || /[\p{Cc}--[\n\t\r]]/v.test(entry[1])) return undefined;
  return entry[1].trim();
}

/** A name may be a word of a source that opens a sentence there, and so is no name in it. */
function isWordOf(fact: string, words: ReadonlySet<string>): boolean {
  return (
    fact.startsWith("name ") && [...wordsOf(fact.slice("name ".length))].every((word) => words.has(word))
  );
}
