import { type Caller, type Scope, scopeOf } from "../../domain/access/tenancy.ts";
import { analyzePrompt, type PromptAnalysis } from "../../domain/cache/analysis.ts";
import { type DecisionRecord, decisionPlace, sealDecision } from "../../domain/cache/decision-token.ts";
import { type GuardVerdict, guardPrompts } from "../../domain/cache/guard.ts";
import { type AnswerScope, cacheEntryId, scopeFingerprint } from "../../domain/cache/scope.ts";
import { QuestionVector } from "./question-vector.ts";

export type CacheStrategy = "HYBRID" | "EXACT" | "SEMANTIC";

export interface LookupCacheInput {
  readonly namespace: string;
  readonly prompt: string;
  readonly answerScope: AnswerScope;
  readonly strategy?: CacheStrategy;
  readonly threshold?: number;
  readonly maxAgeMs?: number;
  readonly shadow: boolean;
}

type Guard = (asked: PromptAnalysis, stored: PromptAnalysis) => GuardVerdict;
type Decided = Pick<DecisionRecord, "entryId" | "similarity" | "time">;
type Seal = (decided: Decided, secret: Uint8Array) => string;

/**
 * A question with its place in the cache: all that a lookup knows before it looks, and what the last one found out that
 * the next one need not find out again.
 */
export interface PlacedLookup {
  readonly input: LookupCacheInput;
  readonly scope: Scope;
  readonly fingerprint: string;
  /** Id of the entry that this prompt has in this scope. */
  readonly promptId: string;
  /** What the guard compares. Made when it is asked for: an exact answer needs none. */
  readonly analysis: () => PromptAnalysis;
  /** See guardPrompts. */
  readonly guard: Guard;
  /** Of the prompt, where the last lookup of it needed one. */
  readonly vector: QuestionVector;
  /** See sealDecision. */
  readonly seal: Seal;
}

/** A function of its arguments alone: a question that comes again need not be placed again. */
export function placeLookup(input: LookupCacheInput, caller: Caller): PlacedLookup {
  const scope = scopeOf(caller, input.namespace);
  const fingerprint = scopeFingerprint(input.answerScope);
  const promptId = cacheEntryId(scope, fingerprint, input.prompt);
  const place = decisionPlace(scope, caller.principal);
  const { model } = input.answerScope;
  let analysis: PromptAnalysis | undefined;
  return {
    input,
    scope,
    fingerprint,
    promptId,
    analysis: () => {
      analysis ??= analyzePrompt(input.prompt);
      return analysis;
    },
    guard: rememberingVerdict(guardPrompts),
    vector: new QuestionVector(),
    seal: rememberingSeal((decided, secret) =>
      sealDecision({ place, promptId, fingerprint, model, ...decided }, secret),
    ),
  };
}

/** A question mostly meets the same entry again, and a verdict is a function of both. */
function rememberingVerdict(guard: Guard): Guard {
  let last: { asked: PromptAnalysis; stored: PromptAnalysis; verdict: GuardVerdict } | undefined;
  return (asked, stored) => {
    if (last?.asked !== asked || last.stored !== stored)
      last = { asked, stored, verdict: guard(asked, stored) };
    return last.verdict;
  };
}

/** Decisions are dated by the second: those of one second that are alike share their seal. */
function rememberingSeal(seal: Seal): Seal {
  let last: { decided: Decided; secret: Uint8Array; token: string } | undefined;
  return ({ entryId, similarity, time: exactly }, secret) => {
    const time = exactly - (exactly % 1000);
    const before = last?.decided;
    if (
      last?.secret === secret &&
      before?.time === time &&
      before.entryId === entryId &&
      before.similarity === similarity
    ) {
      return last.token;
    }
    const decided = { entryId, similarity, time };
    last = { decided, secret, token: seal(decided, secret) };
    return last.token;
  };
}
