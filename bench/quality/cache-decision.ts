import { openLexicon } from "../../src/adapters/lexicon/lexicon-file.ts";
import { analyzePrompt, type PromptAnalysis } from "../../src/domain/cache/analysis.ts";
import type { CacheEntry } from "../../src/domain/cache/entry.ts";
import { type GuardReason, type GuardVerdict, guardPrompts } from "../../src/domain/cache/guard.ts";
import { GUARD_STRICTNESS, type GuardStrictness } from "../../src/domain/cache/guard-strictness.ts";
import { type Decision, decideSemantic } from "../../src/domain/cache/matching.ts";

/** A strictness of the guard, or `cosine`: the similarity alone, without analysis, as most caches decide. */
export type Level = GuardStrictness | "cosine";

/** From the loosest to the strictest. */
export const LEVELS: readonly Level[] = ["cosine", ...GUARD_STRICTNESS];

/** The default of CACHE_ALIGNED_THRESHOLD. */
export const ALIGNED_THRESHOLD = 0.5;

/** A prompt of a lookup, its nearest entry, and the guard's verdict on both. */
export interface Comparison {
  readonly asked: PromptAnalysis;
  readonly entry: CacheEntry;
  readonly similarity: number;
  readonly verdict: GuardVerdict;
}

export interface Thresholds {
  readonly threshold: number;
  readonly level: Level;
}

/** What the guard knows of words. */
const LEXICON = await openLexicon();

const NOW = 1_000;

/** The verdict of the guard, as the service asks for it. */
export function guardVerdict(asked: PromptAnalysis, stored: PromptAnalysis): GuardVerdict {
  return guardPrompts(asked, stored, LEXICON);
}

export function comparePrompts(asked: string, stored: string, similarity: number): Comparison {
  const analysis = analyzePrompt(asked);
  const entry: CacheEntry = {
    id: stored,
    fingerprint: "",
    model: "",
    knowledge: "",
    prompt: stored,
    analysis: analyzePrompt(stored),
    response: "",
    tags: [],
    metadata: {},
    createTime: NOW,
    expireTime: Number.POSITIVE_INFINITY,
    etag: "",
  };
  return { asked: analysis, entry, similarity, verdict: guardVerdict(analysis, entry.analysis) };
}

/** Whether the answer is served, as the service decides it. */
export function isServed(comparison: Comparison, { threshold, level }: Thresholds): boolean {
  if (level === "cosine") return comparison.similarity >= threshold;
  return decide(comparison, threshold, level).kind === "hit";
}

/** The decision of the service on the nearest entry. */
export function decide(comparison: Comparison, threshold: number, strictness: GuardStrictness): Decision {
  const { entry, similarity, verdict } = comparison;
  // Nothing has been reported on the entry, so the id of the prompt does not matter.
  const policy = { threshold, alignedThreshold: ALIGNED_THRESHOLD, strictness, promptId: "" };
  return decideSemantic([{ entry, similarity }], policy, NOW, () => verdict);
}

const TOO_UNLIKE = "below the threshold, no other reason";

/** Why an answer is not served: the reasons of the guard, or the similarity alone; empty for a hit. */
export function refusalReasons(
  comparison: Comparison,
  threshold: number,
  strictness: GuardStrictness,
): readonly (GuardReason | typeof TOO_UNLIKE)[] {
  const decision = decide(comparison, threshold, strictness);
  if (decision.kind === "hit") return [];
  return decision.guardReasons.length === 0 ? [TOO_UNLIKE] : decision.guardReasons;
}
