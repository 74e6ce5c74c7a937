import type { CacheEntry } from "../../domain/cache/entry.ts";
import type { GuardReason } from "../../domain/cache/guard.ts";
import type { CacheLookup } from "../../domain/cache/lookup-tally.ts";
import {
  decideSemantic,
  isTooOld,
  type MatchingPolicy,
  type Neighbour,
} from "../../domain/cache/matching.ts";
import { ModelChanged } from "../../domain/embedding/identity.ts";
import type { CacheStore, NearestQuery } from "../../ports/cache-store.ts";
import type { Clock } from "../../ports/clock.ts";
import type { EmbeddedText, Embedder } from "../../ports/embedder.ts";
import type { Live } from "../../ports/live.ts";
import type { Log } from "../../ports/log.ts";
import type { Meters } from "../../ports/meters.ts";
import type { CallContext } from "../call.ts";
import { Deadline, isOverdue, untilAborted } from "../deadline.ts";
import type { CacheStrategy, LookupCacheInput, PlacedLookup } from "./placed-lookup.ts";
import type { MadeVector } from "./question-vector.ts";

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
  readonly store: Pick<CacheStore, "find" | "nearest" | "findAndNearest" | "countLookup">;
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

/** How a lookup ended, and what its caller may store an answer by. */
export interface LookedUp {
  readonly decisionId: string;
  readonly outcome: CacheOutcome;
}

/**
 * Looks for an answer: exactly, then by meaning, inside the scope; both at once where the last lookup of the prompt
 * showed that the first alone will not do. Fails open: whatever is slow or down, the outcome is a miss that says so,
 * within the deadline. Writes nothing itself; the store counts the outcome later. Answers without a promise when the
 * exact answer is at hand, as most are.
 */
export function lookupCache(
  ports: LookupCachePorts,
  lookup: PlacedLookup,
  context: Pick<CallContext, "signal">,
): LookedUp | Promise<LookedUp> {
  const now = ports.clock.now();
  const settings = ports.settings();
  const { input, scope, promptId } = lookup;
  const strategy = settings.enabled ? (input.strategy ?? settings.strategy) : undefined;
  const maxAgeMs = Math.min(input.maxAgeMs ?? settings.maxAgeMs, settings.maxAgeMs);
  const policy = (): MatchingPolicy => policyOf(input, settings, maxAgeMs);
  const concluded = (decided: CacheOutcome): LookedUp => conclude(ports, lookup, decided, { now, settings });
  const answerBy = (exact: CacheEntry | undefined): LookedUp | undefined => {
    if (exact === undefined || isTooOld(exact, { maxAgeMs }, now)) return undefined;
    lookup.vector.forget();
    return concluded(hit("EXACT", exact, 1, 0, now));
  };
  const answerLater = (exact: Deciding["exact"], deadline: Deadline): Promise<LookedUp> =>
    decide(ports, lookup, { now, strategy, policy: policy(), exact, deadline }, context).then(concluded);
  const startDeadline = (): Deadline => new Deadline(settings.lookupDeadlineMs, () => context.signal);
  const inSteps = (begun?: Deadline): LookedUp | Promise<LookedUp> => {
    const found =
      strategy === "EXACT" || strategy === "HYBRID" ? ports.store.find(scope, promptId, now) : undefined;
    if (!(found instanceof Promise)) return answerBy(found) ?? answerLater(found, begun ?? startDeadline());
    const deadline = begun ?? startDeadline();
    return deadline.within(found).then(
      (exact) => answerBy(exact) ?? answerLater(exact, deadline),
      (error: unknown) => answerLater(new StoreFailure(error), deadline),
    );
  };

  const vector = strategy === "HYBRID" && ports.embedder !== undefined ? lookup.vector.get() : undefined;
  if (vector === undefined) return inSteps();
  const deadline = startDeadline();
  return deadline.within(ports.store.findAndNearest(scope, promptId, nearestQuery(lookup, vector), now)).then(
    ({ exact, nearest }) => answerBy(exact) ?? concluded(decideNearest(lookup, nearest, policy(), now)),
    (error: unknown) => {
      lookup.vector.forget();
      if (isOverdue(error)) return answerLater(new StoreFailure(error), deadline);
      // One of both may still be had, and the model may have changed.
      return inSteps(deadline);
    },
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
  { input, scope, seal }: PlacedLookup,
  decided: CacheOutcome,
  { now, settings }: { readonly now: number; readonly settings: CacheSettings },
): LookedUp {
  const isHit = decided.kind === "hit";
  const decisionId = seal(
    {
      entryId: isHit ? decided.entry.id : (decided.nearestId ?? ""),
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
  lookup: PlacedLookup,
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
    untilAborted(ports.embedder.embed([lookup.input.prompt], deadline.signal, "LOOKUP"), deadline.signal),
    "EMBEDDER_UNAVAILABLE",
  );
  if ("kind" in embedded) return embedded;
  const [question] = embedded;
  if (question === undefined) return miss("EMBEDDER_UNAVAILABLE");
  lookup.vector.remember(question);
  const nearest = await orMiss(
    untilAborted(nearestTo(ports, lookup, question, { now, signal: deadline.signal }), deadline.signal),
    "STORE_UNAVAILABLE",
  );
  return "kind" in nearest ? nearest : decideNearest(lookup, nearest, policy, now);
}

/** The nearest entries. When the model has changed since the prompt was embedded, it is embedded again. */
async function nearestTo(
  { store, embedder }: Pick<LookupCachePorts, "store" | "embedder">,
  lookup: PlacedLookup,
  embedded: EmbeddedText,
  { now, signal }: { readonly now: number; readonly signal: AbortSignal },
): Promise<Neighbour[]> {
  const nearest = (vector: EmbeddedText): Promise<Neighbour[]> =>
    store.nearest(lookup.scope, nearestQuery(lookup, vector), now);
  try {
    return await nearest(embedded);
  } catch (error) {
    if (!(error instanceof ModelChanged) || embedder === undefined) throw error;
    const [again] = await embedder.embed([lookup.input.prompt], signal, "LOOKUP");
    return again === undefined ? [] : nearest(again);
  }
}

function nearestQuery({ fingerprint }: PlacedLookup, { vector, identity }: MadeVector): NearestQuery {
  return { fingerprint, vector, limit: NEIGHBOURS, ...(identity === undefined ? {} : { model: identity }) };
}

function decideNearest(
  { analysis, guard }: PlacedLookup,
  nearest: readonly Neighbour[],
  policy: MatchingPolicy,
  now: number,
): CacheOutcome {
  const decision = decideSemantic(analysis(), nearest, policy, now, guard);
  if (decision.kind === "miss") return decision;
  return hit("SEMANTIC", decision.entry, decision.similarity, decision.threshold, now);
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
