import type { Lexicon } from "../cache/lexicon.ts";
import { normalisedText } from "../memory/memory.ts";
import { factsOf, sentencesOf } from "./facts.ts";

/** What a summary is made of. */
export interface SummarySource {
  readonly text: string;
  /** The speaker, or empty. */
  readonly author: string;
}

export interface SummaryLimits {
  /** Most tokens of the summary. */
  readonly maxTokens: number;
  /**
   * A fact must be in the summary when so many sources have it; 1: every fact. 2: those on which sources agree; what one alone
   * says stays in that one, which is not deleted.
   */
  readonly agreement: number;
}

interface Candidate {
  readonly at: number;
  readonly text: string;
  readonly tokens: number;
  readonly facts: ReadonlySet<string>;
}

/**
 * An extract: whole sentences of the sources, in their order, each once. It has every number, date and name that `agreement`
 * sources have ({@link factsOf}), and as many others as fit. Undefined when that does not fit into `maxTokens`: then the
 * sources stay. Deterministic.
 */
export function extractSummary(
  sources: readonly SummarySource[],
  { maxTokens, agreement }: SummaryLimits,
  countTokens: (text: string) => number,
  lexicon: Lexicon,
): string | undefined {
  const candidates = candidatesOf(sources, countTokens, lexicon);
  const required = requiredFacts(sources, agreement, lexicon);
  const chosen = new Set<Candidate>();
  const covered = new Set<string>();
  const take = (candidate: Candidate): void => {
    chosen.add(candidate);
    for (const fact of candidate.facts) covered.add(fact);
  };
  // Greedy set cover: the sentence with the most missing facts a token.
  for (
    let missing = missingOf(required, covered);
    missing.length > 0;
    missing = missingOf(required, covered)
  ) {
    const best = mostUseful(
      candidates,
      chosen,
      ({ facts }) => missing.filter((fact) => facts.has(fact)).length,
    );
    if (best === undefined) return undefined;
    take(best);
  }
  if (chosen.size === 0) {
    const [first] = candidates;
    if (first === undefined) return undefined;
    take(first);
  }
  if (countTokens(joined(chosen)) > maxTokens) return undefined;
  for (;;) {
    const best = mostUseful(
      candidates,
      chosen,
      ({ facts }) => [...facts].filter((fact) => !covered.has(fact)).length,
    );
    if (best === undefined || countTokens(joined(new Set([...chosen, best]))) > maxTokens) break;
    take(best);
  }
  return joined(chosen);
}

/** The facts that a summary of these sources must have: those that at least so many sources have. */
export function requiredFacts(
  sources: readonly SummarySource[],
  agreement: number,
  lexicon: Lexicon,
): ReadonlySet<string> {
  const counts = new Map<string, number>();
  for (const source of sources) {
    for (const fact of factsOf(spoken(source), lexicon)) counts.set(fact, (counts.get(fact) ?? 0) + 1);
  }
  return new Set([...counts].filter(([, count]) => count >= agreement).map(([fact]) => fact));
}

function spoken({ author, text }: SummarySource): string {
  return author === "" ? text : `${author}: ${text}`;
}

function candidatesOf(
  sources: readonly SummarySource[],
  countTokens: (text: string) => number,
  lexicon: Lexicon,
): readonly Candidate[] {
  const known = new Set<string>();
  const candidates: Candidate[] = [];
  for (const source of sources) {
    for (const sentence of sentencesOf(spoken(source))) {
      const text =
        source.author === "" || sentence.startsWith(source.author)
          ? sentence
          : `${source.author}: ${sentence}`;
      const normal = normalisedText(text);
      if (known.has(normal)) continue;
      known.add(normal);
      candidates.push({
        at: candidates.length,
        text,
        tokens: countTokens(text),
        facts: factsOf(text, lexicon),
      });
    }
  }
  return candidates;
}

function missingOf(required: ReadonlySet<string>, covered: ReadonlySet<string>): string[] {
  return [...required].filter((fact) => !covered.has(fact));
}

/** The one with the highest gain a token; of equal ones the earliest. Undefined when none gains anything. */
function mostUseful(
  candidates: readonly Candidate[],
  chosen: ReadonlySet<Candidate>,
  gain: (candidate: Candidate) => number,
): Candidate | undefined {
  let [best, most]: [Candidate | undefined, number] = [undefined, 0];
  for (const candidate of candidates) {
    if (chosen.has(candidate)) continue;
    const value = gain(candidate) / Math.max(1, candidate.tokens);
    if (value > most) [best, most] = [candidate, value];
  }
  return best;
}

function joined(chosen: ReadonlySet<Candidate>): string {
  return [...chosen]
    .sort((a, b) => a.at - b.at)
    .map(({ text }) => (/[.!?]$/u.test(text) ? text : `${text}.`))
    .join(" ");
}
