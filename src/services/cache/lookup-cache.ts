import { analyzePrompt, type PromptAnalysis } from "../../domain/cache/analysis.ts";
import { sealDecision } from "../../domain/cache/decision-token.ts";
import type { CacheEntry } from "../../domain/cache/entry.ts";
import type { GuardReason } from "../../domain/cache/guard.ts";
import type { CacheLookup } from "../../domain/cache/lookup-tally.ts";
import {
  decideSemantic,
  isTooOld,
  type MatchingPolicy,
  type Neighbour,
} from "../../domain/cache/matching.ts";
import { type AnswerScope, cacheEntryId, scopeFingerprint } from "../../domain/cache/scope.ts";
import { digest } from "../../domain/digest.ts";
import { ModelChanged } from "../../domain/embedding/identity.ts";
import { type Caller, type Scope, scopeOf } from "../../domain/tenancy.ts";
import type { CacheStore } from "../../ports/cache-store.ts";
import type { Clock } from "../../ports/clock.ts";
import type { EmbeddedText, Embedder } from "../../ports/embedder.ts";
import type { Live } from "../../ports/live.ts";
import type { Log } from "../../ports/log.ts";
import type { Meters } from "../../ports/meters.ts";
import type { CallContext } from "../call.ts";
import { Deadline, untilAborted } from "../deadline.ts";

export type CacheStrategy = "HYBRID" | "EXACT" | "SEMANTIC";

/** How the server is configured; a call may narrow it. */
export interface CacheSettings {
  readonly enabled: boolean;
  readonly strategy: CacheStrategy;
  readonly similarityThreshold: number;
  readonly alignedThreshold: number;
  readonly defaultTtlMs: number;
  /** No answer is served for longer, whatever its TTL. */
  readonly maxAgeMs: number;
  /** Entries a namespace holds at most. */
  readonly maxEntries: number;
  /** A lookup takes no longer; then it is a miss. */
  readonly lookupDeadlineMs: number;
}

export interface LookupCacheInput {
  readonly namespace: string;
  readonly prompt: string;
  readonly answerScope: AnswerScope;
  readonly strategy?: CacheStrategy;
  readonly threshold?: number;
  readonly maxAgeMs?: number;
  readonly shadow: boolean;
}

export type MissReason =
  | "NOT_FOUND"
  | "BELOW_THRESHOLD"
  | "GUARD"
  | "TOO_OLD"
  | "DISABLED"
  | "EMBEDDER_UNAVAILABLE"
  | "STORE_UNAVAILABLE"
  | "SHADOW";

export type CacheOutcome =
  | {
      readonly kind: "hit";
      readonly match: "EXACT" | "SEMANTIC";
      readonly entry: CacheEntry;
      readonly similarity: number;
      readonly threshold: number;
      readonly ageMs: number;
    }
  | {
      readonly kind: "miss";
      readonly reason: MissReason;
      readonly nearestId?: string;
      readonly nearestSimilarity?: number;
      readonly threshold: number;
      readonly guardReasons: readonly GuardReason[];
    };

export interface LookupCachePorts {
  readonly store: Pick<CacheStore, "find" | "nearest" | "countLookup">;
  /** Undefined: vector search is switched off, and only the exact match is tried. */
  readonly embedder: Embedder | undefined;
  /** See ServerSecret. */
  readonly secret: Uint8Array;
  readonly clock: Clock;
  readonly meters: Meters;
  readonly log: Log;
  readonly settings: Live<CacheSettings>;
}

/**
 * Entries asked for by meaning. Three for the sake of those that are too old; the nearest of the rest decides
 * alone (see decideSemantic).
 */
const NEIGHBOURS = 3;

/** A question with its place in the cache: all that a lookup knows before it looks. */
export interface PlacedLookup {
  readonly input: LookupCacheInput;
  readonly scope: Scope;
  readonly fingerprint: string;
  /** Id of the entry that this prompt has in this scope. */
  readonly promptId: string;
  /** See DecisionRecord. */
  readonly place: string;
  /** What the guard compares. Made when it is asked for: an exact answer needs none. */
  readonly analysis: () => PromptAnalysis;
}

/** A function of its arguments alone: a question that comes again need not be placed again. */
export function placeLookup(input: LookupCacheInput, caller: Caller): PlacedLookup {
  const scope = scopeOf(caller, input.namespace);
  const fingerprint = scopeFingerprint(input.answerScope);
  const promptId = cacheEntryId(scope, fingerprint, input.prompt);
  let analysis: PromptAnalysis | undefined;
  return {
    input,
    scope,
    fingerprint,
    promptId,
    place: digest(scope.tenant, scope.namespace),
    analysis: () => {
      analysis ??= analyzePrompt(input.prompt);
      return analysis;
    },
  };
}

/** How a lookup ended, and what its caller may store an answer by. */
export interface LookedUp {
  readonly decisionId: string;
  readonly outcome: CacheOutcome;
}

/**
 * Looks for an answer: exactly, then by meaning, inside the scope. Fails open: whatever is slow or down, the
 * outcome is a miss that says so, within the deadline. Writes nothing itself; the store counts the outcome later.
 * Answers without a promise when the exact answer is at hand, as most are.
 */
export function lookupCache(
  ports: LookupCachePorts,
  lookup: PlacedLookup,
  context: Pick<CallContext, "signal">,
): LookedUp | Promise<LookedUp> {
  const now = ports.clock.now();
  const settings = ports.settings();
  const { input, scope } = lookup;
  const strategy = settings.enabled ? (input.strategy ?? settings.strategy) : undefined;
  const found =
    strategy === "EXACT" || strategy === "HYBRID" ? ports.store.find(scope, lookup.promptId, now) : undefined;
  const maxAgeMs = Math.min(input.maxAgeMs ?? settings.maxAgeMs, settings.maxAgeMs);
  const concluded = (decided: CacheOutcome): LookedUp => conclude(ports, lookup, decided, { now, settings });
  const answerBy = (exact: CacheEntry | undefined): LookedUp | undefined =>
    exact === undefined || isTooOld(exact, { maxAgeMs }, now)
      ? undefined
      : concluded(hit("EXACT", exact, 1, 0, now));
  const answerLater = (exact: Deciding["exact"], deadline: Deadline): Promise<LookedUp> => {
    const policy = policyOf(input, settings, maxAgeMs);
    return decide(ports, lookup, { now, strategy, policy, exact, deadline }, context).then(concluded);
  };
  const startDeadline = (): Deadline => new Deadline(settings.lookupDeadlineMs, () => context.signal);
  if (!(found instanceof Promise)) return answerBy(found) ?? answerLater(found, startDeadline());
  const deadline = startDeadline();
  return deadline.within(found).then(
    (exact) => answerBy(exact) ?? answerLater(exact, deadline),
    (error: unknown) => answerLater(new StoreFailure(error), deadline),
  );
}

/** Why it is not known whether the exact prompt has an answer. */
class StoreFailure {
  readonly cause: unknown;

  constructor(cause: unknown) {
    this.cause = cause;
  }
}

/** Seals what was decided, and counts what the caller is told. */
function conclude(
  ports: LookupCachePorts,
  { input, scope, place, promptId, fingerprint }: PlacedLookup,
  decided: CacheOutcome,
  { now, settings }: { readonly now: number; readonly settings: CacheSettings },
): LookedUp {
  const isHit = decided.kind === "hit";
  const decisionId = sealDecision(
    {
      place,
      entryId: isHit ? decided.entry.id : (decided.nearestId ?? ""),
      promptId,
      fingerprint,
      model: input.answerScope.model,
      similarity: isHit ? decided.similarity : (decided.nearestSimilarity ?? 0),
      time: now,
    },
    ports.secret,
  );
  const outcome = input.shadow && isHit ? shadowed(decided) : decided;
  count(ports.meters, outcome);
  // A cache that is switched off asks nothing of the store, not even to count.
  if (settings.enabled) ports.store.countLookup(scope, lookupOf(outcome), now);
  return { decisionId, outcome };
}

function policyOf(input: LookupCacheInput, settings: CacheSettings, maxAgeMs: number): MatchingPolicy {
  return {
    threshold: settings.similarityThreshold,
    alignedThreshold: settings.alignedThreshold,
    ...(input.threshold === undefined ? {} : { floor: input.threshold }),
    maxAgeMs,
  };
}

/** A lookup under way. */
interface Deciding {
  readonly now: number;
  /** Undefined: the cache is switched off. */
  readonly strategy: CacheStrategy | undefined;
  readonly policy: MatchingPolicy;
  /** What the store says of the exact prompt, if it was asked. */
  readonly exact: CacheEntry | undefined | StoreFailure;
  /** Of the lookup. */
  readonly deadline: Deadline;
}

async function decide(
  ports: LookupCachePorts,
  { input, scope, fingerprint, analysis }: PlacedLookup,
  { now, strategy, policy, exact, deadline: ofLookup }: Deciding,
  context: Pick<CallContext, "signal">,
): Promise<CacheOutcome> {
  const miss = (reason: MissReason): CacheOutcome => ({
    kind: "miss",
    reason,
    threshold: Math.max(policy.threshold, policy.floor ?? 0),
    guardReasons: [],
  });
  if (strategy === undefined) return miss("DISABLED");

  using deadline = ofLookup;
  /** Turns a failure into the reason of a miss, and says it in the log. */
  const failed = (error: unknown, reason: MissReason): CacheOutcome => {
    // The caller is gone: there is nobody to answer with a miss.
    context.signal.throwIfAborted();
    ports.log.warn({ err: error, reason }, "cache lookup became a miss");
    return miss(reason);
  };
  /** `work` ends by itself, or when the time is over. */
  const orMiss = async <T>(work: Promise<T>, reason: MissReason): Promise<T | CacheOutcome> => {
    try {
      return await work;
    } catch (error) {
      return failed(error, reason);
    }
  };

  if (exact instanceof StoreFailure) return failed(exact.cause, "STORE_UNAVAILABLE");
  // Fresh ones have been answered with.
  const tooOld = exact !== undefined;
  if (strategy === "EXACT" || ports.embedder === undefined) return miss(tooOld ? "TOO_OLD" : "NOT_FOUND");

  const embedded = await orMiss(
    untilAborted(ports.embedder.embed([input.prompt], deadline.signal, "LOOKUP"), deadline.signal),
    "EMBEDDER_UNAVAILABLE",
  );
  if ("kind" in embedded) return embedded;
  const [question] = embedded;
  if (question === undefined) return miss("EMBEDDER_UNAVAILABLE");
  const nearest = await orMiss(
    untilAborted(
      nearestTo(ports, { scope, fingerprint, prompt: input.prompt }, question, {
        now,
        signal: deadline.signal,
      }),
      deadline.signal,
    ),
    "STORE_UNAVAILABLE",
  );
  if ("kind" in nearest) return nearest;
  const decision = decideSemantic(analysis(), nearest, policy, now);
  if (decision.kind === "miss") return decision;
  return hit("SEMANTIC", decision.entry, decision.similarity, decision.threshold, now);
}

/** The nearest entries. When the model has changed since the prompt was embedded, it is embedded again. */
async function nearestTo(
  ports: Pick<LookupCachePorts, "store" | "embedder">,
  place: { readonly scope: Scope; readonly fingerprint: string; readonly prompt: string },
  embedded: EmbeddedText,
  { now, signal }: { readonly now: number; readonly signal: AbortSignal },
): Promise<Neighbour[]> {
  const { scope, fingerprint, prompt } = place;
  const nearest = ({ vector, identity }: EmbeddedText): Promise<Neighbour[]> =>
    ports.store.nearest(
      scope,
      { fingerprint, vector, limit: NEIGHBOURS, ...(identity === undefined ? {} : { model: identity }) },
      now,
    );
  try {
    return await nearest(embedded);
  } catch (error) {
    if (!(error instanceof ModelChanged) || ports.embedder === undefined) throw error;
    const [again] = await ports.embedder.embed([prompt], signal, "LOOKUP");
    return again === undefined ? [] : nearest(again);
  }
}

function hit(
  match: "EXACT" | "SEMANTIC",
  entry: CacheEntry,
  similarity: number,
  threshold: number,
  now: number,
): CacheOutcome {
  return {
    kind: "hit",
    match,
    entry,
    similarity,
    threshold,
    // Clocks of two replicas may differ; an age is never negative.
    ageMs: Math.max(0, now - entry.createTime),
  };
}

function shadowed(outcome: CacheOutcome & { readonly kind: "hit" }): CacheOutcome {
  return {
    kind: "miss",
    reason: "SHADOW",
    nearestId: outcome.entry.id,
    nearestSimilarity: outcome.similarity,
    threshold: outcome.threshold,
    guardReasons: [],
  };
}

function lookupOf(outcome: CacheOutcome): CacheLookup {
  return outcome.kind === "miss" ? { kind: "MISS" } : { kind: outcome.match, id: outcome.entry.id };
}

function count(meters: Meters, outcome: CacheOutcome): void {
  if (outcome.kind === "miss") meters.cacheLookup("miss", outcome.reason);
  else meters.cacheLookup(outcome.match === "EXACT" ? "exact" : "semantic", outcome.match);
}
