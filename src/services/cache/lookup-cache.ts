import { defaultThreshold } from "../../domain/cache/default-thresholds.ts";
import type { CacheEntry } from "../../domain/cache/entry.ts";
import { isVetoed } from "../../domain/cache/feedback.ts";
import type { GuardReason, GuardVerdict } from "../../domain/cache/guard.ts";
import type { GuardStrictness } from "../../domain/cache/guard-strictness.ts";
import type { Lexicon } from "../../domain/cache/lexicon.ts";
import { isDue } from "../../domain/cache/lifetime.ts";
import { decideSemantic, isTooOld, type MatchingPolicy } from "../../domain/cache/matching.ts";
import { strictnessOf } from "../../domain/cache/policy.ts";
import { ModelChanged } from "../../domain/embedding/identity.ts";
import type { SecretKey } from "../../lib/secret-key.ts";
import type { CacheStore, FoundEntries, NearestQuery } from "../../ports/cache/cache-store.ts";
import type { Clock } from "../../ports/clock.ts";
import type { Embedder } from "../../ports/embedding/embedder.ts";
import type { Log } from "../../ports/log.ts";
import type { Metrics } from "../../ports/metrics.ts";
import type { Reloadable } from "../../ports/reloadable.ts";
import type { Work, WorkQueue } from "../../ports/work-queue.ts";
import type { CallContext } from "../call.ts";
import { abortable, Deadline, isTimeout } from "../deadline.ts";
import type { CacheSettings } from "./cache-settings.ts";
import { countedAs, countOutcome } from "./count-outcome.ts";
import type { GuardWatch } from "./guard-watch.ts";
import {
  cachedVector,
  cacheVector,
  type Decided,
  decisionToken,
  type PreparedLookup,
  type PromptVector,
  verdictOn,
} from "./prepared-lookup.ts";

export type MissReason =
  | "NOT_FOUND"
  | "BELOW_THRESHOLD"
  | "GUARD"
  | "TOO_OLD"
  | "VETOED"
  | "DISABLED"
  | "REFRESH"
  | "EMBEDDER_UNAVAILABLE"
  | "STORE_UNAVAILABLE"
  | "SERVER_OVERLOADED"
  | "SHADOW";

interface Hit {
  readonly kind: "hit";
  readonly match: "EXACT" | "SEMANTIC";
  readonly entry: CacheEntry;
  readonly similarity: number;
  readonly threshold: number;
  readonly ageMs: number;
  /** It is due, and another caller refreshes it. */
  readonly isStale: boolean;
}

/** An entry that may be served. */
type Match = Pick<Hit, "entry" | "similarity" | "threshold">;

export type CacheOutcome =
  | Hit
  | {
      readonly kind: "miss";
      readonly reason: MissReason;
      readonly nearestId?: string;
      readonly nearestSimilarity?: number;
      readonly threshold: number;
      readonly guardReasons: readonly GuardReason[];
      /** The strictness that applied; undefined: not known without the policy of the namespace. */
      readonly guard: GuardStrictness | undefined;
    };

export interface LookupCachePorts {
  readonly store: Pick<CacheStore, "lookup" | "countLookup" | "claimRefresh">;
  readonly guards: Pick<GuardWatch, "saw">;
  /** Undefined: vector search is switched off, and only the exact match is tried. */
  readonly embedder: Embedder | undefined;
  /** What the guard knows of words. */
  readonly lexicon: Lexicon;
  /** See ServerSecret. */
  readonly secret: () => SecretKey;
  readonly clock: Clock;
  readonly metrics: Metrics;
  readonly log: Log;
  readonly settings: Reloadable<CacheSettings>;
  readonly work: WorkQueue;
}

/** The fields of the call that a lookup needs. */
type LookupContext = Pick<CallContext, "signal" | "arrival"> & {
  /** Whether the caller may store an answer; default: it may. */
  readonly mayStore?: boolean;
};

/** The outcome of a lookup, and the decision token with which its caller may store an answer. */
export interface LookedUp {
  readonly decisionId: string;
  readonly outcome: CacheOutcome;
}

/**
 * Most nearest entries to read: three, because some may be too old; decideSemantic decides on the first of the others.
 */
const NEIGHBOURS = 3;

/**
 * The share of the deadline after which a lookup becomes a miss; the rest is for sending the answer. When a provider
 * hangs, many lookups time out at once: the last of 52 was answered 100 ms after the first
 * (test/faults/lookup-deadline.test.ts).
 */
const WAITING_SHARE = 15 / 16;

/** The most by which clocks of replicas differ. */
const CLOCK_DIFFERENCE_MS = 1000;

/**
 * Looks up an answer in the cache scope: exact match first, then semantic match. Fails open: when the store or the
 * embedder is slow or down, the outcome is a miss with its reason, within the lookup deadline. Rejects only when the call
 * was cancelled, or with GUARD_TOO_LOOSE. Writes nothing itself; the store counts the outcome later.
 */
export async function lookupCache(
  ports: LookupCachePorts,
  lookup: PreparedLookup,
  context: LookupContext,
): Promise<LookedUp> {
  const now = ports.clock.now();
  const settings = ports.settings();
  using deadline = new Deadline(settings.lookupDeadlineMs * WAITING_SHARE, context, context.arrival);
  const mayStore = context.mayStore ?? true;
  const call: LookupCall = {
    ...{ ports, lookup, now, settings, deadline, mayStore },
    guard: undefined,
    generation: undefined,
  };
  let found: CacheOutcome;
  try {
    found = settings.enabled ? await findAnswer(call) : miss(call, "DISABLED");
  } catch (error) {
    // A cancelled call gets no answer, not even a miss.
    context.signal.throwIfAborted();
    found = failOpen(call, error);
  }
  // Unknown after a failure of the store: then the time is compared, minus what clocks of replicas may differ by.
  const { generation = now - CLOCK_DIFFERENCE_MS } = call;
  const decided = { ...decidedEntry(found), generation, time: now };
  const outcome = lookup.input.shadow && found.kind === "hit" ? missWith(call, "SHADOW", found) : found;
  const servedCreateTime = outcome.kind === "hit" ? outcome.entry.createTime : 0;
  const decisionId = decisionToken(lookup, { ...decided, servedCreateTime }, ports.secret());
  countOutcome(ports.metrics, outcome);
  // A cache that is switched off does not use the store, not even for counts.
  if (settings.enabled) ports.store.countLookup(lookup.namespace, countedAs(outcome), now);
  return { decisionId, outcome };
}

/** How long a caller may take to refresh an entry before another one may. */
const REFRESH_MS = 60_000;

/** The context of all steps of one lookup. Settings and time do not change during it. */
interface LookupCall {
  readonly ports: LookupCachePorts;
  readonly lookup: PreparedLookup;
  /** Milliseconds since the epoch. */
  readonly now: number;
  readonly settings: CacheSettings;
  readonly deadline: Deadline;
  readonly mayStore: boolean;
  /** The strictness that applies, by the policy that the last step has read; undefined before the first. */
  guard: GuardStrictness | undefined;
  /** The generation of the namespace in the first reply of the store; undefined: there was none. */
  generation: number | undefined;
}

/** Notes the generation of the first reply: what is invalidated after it is later than the decision. */
function noted(call: LookupCall, found: FoundEntries): FoundEntries {
  call.generation ??= found.generation;
  return found;
}

async function findAnswer(call: LookupCall): Promise<CacheOutcome> {
  const { embedder } = call.ports;
  const strategy = call.lookup.input.strategy ?? call.settings.strategy;
  const vector = strategy === "HYBRID" && embedder !== undefined ? cachedVector(call.lookup) : undefined;
  const both = vector === undefined ? undefined : await lookupBoth(call, vector);
  const first = both ?? (strategy === "SEMANTIC" ? undefined : await lookupExact(call));
  if (first !== undefined) applyPolicy(call, first);
  const exact = first?.exact;
  const refused = exact === undefined ? undefined : refusalOfExact(call, exact);
  if (exact !== undefined && refused === undefined) {
    call.lookup.vector = undefined;
    const found = { entry: exact, similarity: 1, threshold: 0 };
    return isDue(exact, call.now) ? refresh(call, found) : hit(call, "EXACT", found);
  }
  if (both !== undefined) return decide(call, both, refused);
  if (strategy === "EXACT" || embedder === undefined) {
    return miss(call, refused ?? "NOT_FOUND");
  }
  const embedded = await embedPrompt(call, embedder);
  return decide(call, await lookupNearest(call, embedder, embedded), refused);
}

/** Why an exact match is not served; undefined: it may be. */
function refusalOfExact(call: LookupCall, exact: CacheEntry): "TOO_OLD" | "VETOED" | undefined {
  if (isTooOld(exact, policyOf(call), call.now)) return "TOO_OLD";
  return isVetoed(exact.feedback, { promptId: call.lookup.promptId }) ? "VETOED" : undefined;
}

/** Throws GUARD_TOO_LOOSE, also where an exact match needs no guard: so a call is right or wrong whatever is stored. */
function applyPolicy(call: LookupCall, { policy }: FoundEntries): GuardStrictness {
  const { ports, lookup, settings } = call;
  ports.guards.saw(lookup.namespace, policy);
  call.guard = strictnessOf(lookup.input.guard, policy, settings.guard);
  return call.guard;
}

/**
 * The outcome for an exact match that is due: a miss for the one caller that is to refresh it, a stale hit for the others.
 * Nothing is claimed in shadow mode, nor for a caller that may not store.
 */
async function refresh(call: LookupCall, found: Match): Promise<CacheOutcome> {
  const { ports, lookup, now, deadline } = call;
  const { id } = found.entry;
  if (lookup.input.shadow || !call.mayStore) return hit(call, "EXACT", found, true);
  try {
    const until = now + REFRESH_MS;
    const isFirst = await deadline.within(ports.store.claimRefresh(lookup.namespace, id, { now, until }));
    if (!isFirst) return hit(call, "EXACT", found, true);
  } catch (error) {
    ports.log.warn({ err: error }, "the refresh of a cache entry could not be claimed; it is served");
    return hit(call, "EXACT", found, true);
  }
  return missWith(call, "REFRESH", found);
}

/**
 * Reads the exact entry and the nearest ones in one step, by the cached vector of an earlier lookup of this prompt, which
 * saves a round trip to Redis. Undefined when other work is queued (the exact match must not be queued behind it), and
 * when it fails: one of both matches may still succeed, and the model may have changed.
 */
async function lookupBoth(call: LookupCall, vector: PromptVector): Promise<FoundEntries | undefined> {
  const { ports, lookup, now, deadline } = call;
  const query = { id: lookup.promptId, nearest: nearestQuery(lookup, vector) };
  const looking = ports.work.runNow("LOOKUP", async () => ports.store.lookup(lookup.namespace, query, now));
  if (looking === undefined) return undefined;
  try {
    return noted(call, await deadline.within(looking));
  } catch (error) {
    lookup.vector = undefined;
    if (isTimeout(error)) throw new StepFailed("STORE_UNAVAILABLE", error);
    return undefined;
  }
}

async function lookupExact(call: LookupCall): Promise<FoundEntries> {
  const { ports, lookup, now, deadline } = call;
  try {
    const found = ports.store.lookup(lookup.namespace, { id: lookup.promptId }, now);
    // The embedded store returns synchronously: without timer and promises an exact hit takes some 4 us less (of 90).
    return noted(call, found instanceof Promise ? await deadline.within(found) : found);
  } catch (error) {
    throw new StepFailed("STORE_UNAVAILABLE", error);
  }
}

async function embedPrompt(call: LookupCall, embedder: Embedder): Promise<PromptVector> {
  const { ports, lookup, deadline } = call;
  // Checked first: if the search would be refused, the embedding would be useless.
  const refusal = ports.work.refusal(workOf(call));
  if (refusal !== undefined) throw new StepFailed("SERVER_OVERLOADED", refusal);
  try {
    const { signal } = deadline;
    const [embedded] = await abortable(embedder.embed([lookup.input.prompt], signal, "LOOKUP"), signal);
    if (embedded === undefined) throw new TypeError("the embedder gave no vector");
    cacheVector(lookup, embedded);
    return embedded;
  } catch (error) {
    throw new StepFailed("EMBEDDER_UNAVAILABLE", error);
  }
}

/** Queued with other heavy work. */
async function lookupNearest(
  call: LookupCall,
  embedder: Embedder,
  embedded: PromptVector,
): Promise<FoundEntries> {
  const { ports, lookup, now, deadline } = call;
  const { signal } = deadline;
  const nearest = async (vector: PromptVector): Promise<FoundEntries> => {
    const query = { nearest: nearestQuery(lookup, vector) };
    return noted(call, await ports.store.lookup(lookup.namespace, query, now));
  };
  let hasStarted = false;
  const searching = ports.work.run(workOf(call), signal, async () => {
    hasStarted = true;
    try {
      return await nearest(embedded);
    } catch (error) {
      if (!(error instanceof ModelChanged)) throw error;
      const [embeddedAgain] = await embedder.embed([lookup.input.prompt], signal, "LOOKUP");
      if (embeddedAgain === undefined) throw new TypeError("the embedder gave no vector");
      return nearest(embeddedAgain);
    }
  });
  try {
    return await abortable(searching, signal);
  } catch (error) {
    throw new StepFailed(hasStarted ? "STORE_UNAVAILABLE" : "SERVER_OVERLOADED", error);
  }
}

function workOf({ lookup, deadline }: LookupCall): Work {
  return { tenant: lookup.namespace.tenant, kind: "LOOKUP", deadline: deadline.time };
}

function nearestQuery({ fingerprint }: PreparedLookup, { vector, identity }: PromptVector): NearestQuery {
  return { fingerprint, vector, limit: NEIGHBOURS, ...(identity === undefined ? {} : { model: identity }) };
}

/** The outcome of the semantic match. `refused`: why there is an exact match that is not served. */
function decide(
  call: LookupCall,
  found: FoundEntries,
  refused: "TOO_OLD" | "VETOED" | undefined,
): CacheOutcome {
  const { ports, lookup, now } = call;
  const guard = applyPolicy(call, found);
  const verdict = (entry: CacheEntry): GuardVerdict => verdictOn(lookup, entry, ports.lexicon);
  const policy = { ...policyOf(call), strictness: guard };
  const decision = decideSemantic(found.nearest, policy, now, verdict);
  if (decision.kind === "hit") return hit(call, "SEMANTIC", decision);
  // The exact match may have no vector.
  const reason = decision.reason === "NOT_FOUND" ? (refused ?? "NOT_FOUND") : decision.reason;
  return { ...decision, reason, guard };
}

/** Without the strictness of the guard. */
function policyOf({ ports, lookup, settings }: LookupCall): Omit<MatchingPolicy, "strictness"> {
  const { threshold, maxAgeMs = settings.maxAgeMs } = lookup.input;
  return {
    threshold: settings.similarityThreshold ?? defaultThreshold(ports.embedder?.identity),
    alignedThreshold: settings.alignedThreshold,
    ...(threshold === undefined ? {} : { floor: threshold }),
    maxAgeMs: Math.min(maxAgeMs, settings.maxAgeMs),
    promptId: lookup.promptId,
  };
}

/** The failure of one step of a lookup. */
class StepFailed extends Error {
  readonly reason: MissReason;

  constructor(reason: MissReason, cause: unknown) {
    super(reason, { cause });
    this.reason = reason;
  }
}

function failOpen(call: LookupCall, error: unknown): CacheOutcome {
  if (!(error instanceof StepFailed)) throw error;
  const { reason, cause } = error;
  // Too frequent for the log when the server is overloaded; metrics count them.
  if (reason !== "SERVER_OVERLOADED") {
    call.ports.log.warn({ err: cause, reason }, "cache lookup became a miss");
  }
  return miss(call, reason);
}

function miss(call: LookupCall, reason: MissReason): CacheOutcome {
  const { threshold, floor = 0 } = policyOf(call);
  return { kind: "miss", reason, threshold: Math.max(threshold, floor), guardReasons: [], guard: call.guard };
}

function hit(
  { now }: LookupCall,
  match: "EXACT" | "SEMANTIC",
  { entry, similarity, threshold }: Match,
  isStale = false,
): Hit {
  // Not negative, although clocks of replicas may differ.
  const ageMs = Math.max(0, now - entry.createTime);
  return { kind: "hit", match, entry, similarity, threshold, ageMs, isStale };
}

/** A miss although this entry could be served. */
function missWith(
  { guard }: LookupCall,
  reason: MissReason,
  { entry, similarity, threshold }: Match,
): CacheOutcome {
  const nearest = { nearestId: entry.id, nearestSimilarity: similarity };
  return { kind: "miss", reason, ...nearest, threshold, guardReasons: [], guard };
}

function decidedEntry(outcome: CacheOutcome): Pick<Decided, "entryId" | "similarity"> {
  return outcome.kind === "hit"
    ? { entryId: outcome.entry.id, similarity: outcome.similarity }
    : { entryId: outcome.nearestId ?? "", similarity: outcome.nearestSimilarity ?? 0 };
}
