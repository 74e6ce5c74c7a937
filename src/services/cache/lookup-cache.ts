import { defaultThreshold } from "../../domain/cache/default-thresholds.ts";
import type { CacheEntry } from "../../domain/cache/entry.ts";
import type { GuardReason } from "../../domain/cache/guard.ts";
import type { CacheLookup } from "../../domain/cache/lookup-counts.ts";
import {
  decideSemantic,
  isTooOld,
  type MatchingPolicy,
  type Neighbour,
} from "../../domain/cache/matching.ts";
import { ModelChanged } from "../../domain/embedding/identity.ts";
import type { CacheStore, NearestQuery } from "../../ports/cache/cache-store.ts";
import type { Clock } from "../../ports/clock.ts";
import type { EmbeddedText, Embedder } from "../../ports/embedding/embedder.ts";
import type { Log } from "../../ports/log.ts";
import type { Metrics } from "../../ports/metrics.ts";
import type { Reloadable } from "../../ports/reloadable.ts";
import type { Work, WorkQueue } from "../../ports/work-queue.ts";
import type { CallContext } from "../call.ts";
import { abortable, Deadline, isOverdue } from "../deadline.ts";
import type { CacheStrategy, PlacedLookup } from "./placed-lookup.ts";
import type { MadeVector } from "./question-vector.ts";

/** How the server is configured; a call may narrow it. */
export interface CacheSettings {
  readonly enabled: boolean;
  readonly strategy: CacheStrategy;
  /** Undefined: the default of the model. */
  readonly similarityThreshold: number | undefined;
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
  | "SERVER_OVERLOADED"
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
  readonly secret: () => Uint8Array;
  readonly clock: Clock;
  readonly metrics: Metrics;
  readonly log: Log;
  readonly settings: Reloadable<CacheSettings>;
  readonly work: WorkQueue;
}

/** What a lookup asks of the call that it serves. */
type LookupContext = Pick<CallContext, "signal" | "arrival">;

/**
 * Entries asked for by meaning. Three for the sake of those that are too old; the nearest of the rest decides
 * alone (see decideSemantic).
 */
const NEIGHBOURS = 3;

type Found = Awaited<ReturnType<CacheStore["findAndNearest"]>>;

/** How a lookup ended, and what its caller may store an answer by. */
export interface LookedUp {
  readonly decisionId: string;
  readonly outcome: CacheOutcome;
}

/**
 * Looks for an answer: exactly, then by meaning, inside the scope; both at once where the last lookup of the prompt
 * showed that the first alone will not do. Fails open: whatever is slow or down, the outcome is a miss that says so,
 * within the deadline. Writes nothing itself; the store counts the outcome later. Answers with what `answer` makes of how
 * it ended; without a promise when the exact answer is at hand, as most are.
 */
export function lookupCache<A>(
  ports: LookupCachePorts,
  lookup: PlacedLookup,
  context: LookupContext,
  answer: (lookedUp: LookedUp) => A,
): A | Promise<A> {
  return new LookupUnderWay(ports, lookup, context, answer).run();
}

/** Why it is not known whether the exact prompt has an answer. */
class StoreFailure {
  readonly cause: unknown;

  constructor(cause: unknown) {
    this.cause = cause;
  }
}

/** A class for the sake of the hot path: one object a lookup, and few functions made for it. */
class LookupUnderWay<A> {
  readonly #ports: LookupCachePorts;
  readonly #lookup: PlacedLookup;
  readonly #context: LookupContext;
  readonly #answer: (lookedUp: LookedUp) => A;
  readonly #now: number;
  readonly #settings: CacheSettings;
  /** Undefined: the cache is switched off. */
  readonly #strategy: CacheStrategy | undefined;
  readonly #maxAgeMs: number;
  #deadline: Deadline | undefined;

  constructor(
    ports: LookupCachePorts,
    lookup: PlacedLookup,
    context: LookupContext,
    answer: (lookedUp: LookedUp) => A,
  ) {
    this.#ports = ports;
    this.#lookup = lookup;
    this.#context = context;
    this.#answer = answer;
    this.#now = ports.clock.now();
    this.#settings = ports.settings();
    const { strategy, maxAgeMs } = lookup.input;
    this.#strategy = this.#settings.enabled ? (strategy ?? this.#settings.strategy) : undefined;
    this.#maxAgeMs = Math.min(maxAgeMs ?? this.#settings.maxAgeMs, this.#settings.maxAgeMs);
  }

  run(): A | Promise<A> {
    const vector =
      this.#strategy === "HYBRID" && this.#ports.embedder !== undefined
        ? this.#lookup.vector.get()
        : undefined;
    const atOnce = vector === undefined ? undefined : this.#atOnce(vector);
    // Where work waits, the exact answer does not wait for it.
    return atOnce ?? this.#inSteps();
  }

  /** Asks for the exact prompt first. */
  #inSteps(): A | Promise<A> {
    const isAsked = this.#strategy === "EXACT" || this.#strategy === "HYBRID";
    const { scope, promptId } = this.#lookup;
    const found = isAsked ? this.#ports.store.find(scope, promptId, this.#now) : undefined;
    if (!(found instanceof Promise)) return this.#afterExact(found);
    return this.#timed().within<CacheEntry | undefined, A>(
      found,
      (exact) => this.#afterExact(exact),
      (error) => this.#later(new StoreFailure(error)),
    );
  }

  /** Undefined: it would have to wait for its turn. */
  #atOnce(vector: MadeVector): Promise<A> | undefined {
    const { store, work } = this.#ports;
    const { scope, promptId } = this.#lookup;
    const found = work.runNow("LOOKUP", () =>
      store.findAndNearest(scope, promptId, nearestQuery(this.#lookup, vector), this.#now),
    );
    if (found === undefined) return undefined;
    return this.#timed().within<Found, A>(
      found,
      ({ exact, nearest }) =>
        this.#isServed(exact)
          ? this.#answerWith(exact)
          : this.#conclude(decideNearest(this.#lookup, nearest, this.#policy(), this.#now)),
      (error) => {
        this.#lookup.vector.forget();
        if (isOverdue(error)) return this.#later(new StoreFailure(error));
        // One of both may still be had, and the model may have changed.
        return this.#inSteps();
      },
    );
  }

  #afterExact(exact: CacheEntry | undefined): A | Promise<A> {
    return this.#isServed(exact) ? this.#answerWith(exact) : this.#later(exact);
  }

  #isServed(exact: CacheEntry | undefined): exact is CacheEntry {
    return exact !== undefined && !isTooOld(exact, { maxAgeMs: this.#maxAgeMs }, this.#now);
  }

  #answerWith(exact: CacheEntry): A {
    this.#lookup.vector.forget();
    return this.#conclude(hit("EXACT", exact, 1, 0, this.#now));
  }

  async #later(exact: CacheEntry | undefined | StoreFailure): Promise<A> {
    return this.#conclude(await this.#decide(exact));
  }

  /** Decides by meaning. `exact`: what the store says of the exact prompt, if it was asked; an entry is too old. */
  async #decide(exact: CacheEntry | undefined | StoreFailure): Promise<CacheOutcome> {
    const strategy = this.#strategy;
    const { embedder } = this.#ports;
    if (strategy === undefined) return this.#miss("DISABLED");

    using deadline = this.#timed();
    if (exact instanceof StoreFailure) return this.#failed(exact.cause, "STORE_UNAVAILABLE");
    if (strategy === "EXACT" || embedder === undefined) {
      return this.#miss(exact === undefined ? "NOT_FOUND" : "TOO_OLD");
    }

    const work: Work = { tenant: this.#lookup.scope.tenant, kind: "LOOKUP", deadline: deadline.time };
    // Before the prompt is embedded, which would be of no use.
    const refusal = this.#ports.work.refusal(work);
    if (refusal !== undefined) return this.#failed(refusal, "SERVER_OVERLOADED");
    const embedded = await this.#orMiss(
      abortable(embedder.embed([this.#lookup.input.prompt], deadline.signal, "LOOKUP"), deadline.signal),
      () => "EMBEDDER_UNAVAILABLE",
    );
    if ("kind" in embedded) return embedded;
    const [question] = embedded;
    if (question === undefined) return this.#miss("EMBEDDER_UNAVAILABLE");
    this.#lookup.vector.remember(question);
    // Awaited here: the deadline goes with this function.
    return await this.#nearest(question, work, deadline.signal);
  }

  /** Decides by the nearest entries, when it is the turn of this lookup. */
  async #nearest(question: EmbeddedText, work: Work, signal: AbortSignal): Promise<CacheOutcome> {
    let hasStarted = false;
    const searching = this.#ports.work.run(work, signal, () => {
      hasStarted = true;
      return nearestTo(this.#ports, this.#lookup, question, { now: this.#now, signal });
    });
    const nearest = await this.#orMiss(abortable(searching, signal), () =>
      hasStarted ? "STORE_UNAVAILABLE" : "SERVER_OVERLOADED",
    );
    return "kind" in nearest ? nearest : decideNearest(this.#lookup, nearest, this.#policy(), this.#now);
  }

  /** `work` ends by itself, or when the time is over. */
  async #orMiss<T>(work: Promise<T>, reason: () => MissReason): Promise<T | CacheOutcome> {
    try {
      return await work;
    } catch (error) {
      return this.#failed(error, reason());
    }
  }

  /** Turns a failure into the reason of a miss, and says it in the log. */
  #failed(error: unknown, reason: MissReason): CacheOutcome {
    // The caller is gone: there is nobody to answer with a miss.
    this.#context.signal.throwIfAborted();
    // As many as there are calls too many: they are counted, and the log does not grow by them.
    if (reason !== "SERVER_OVERLOADED")
      this.#ports.log.warn({ err: error, reason }, "cache lookup became a miss");
    return this.#miss(reason);
  }

  #miss(reason: MissReason): CacheOutcome {
    const { threshold, floor = 0 } = this.#policy();
    return { kind: "miss", reason, threshold: Math.max(threshold, floor), guardReasons: [] };
  }

  /** Seals what was decided, counts what the caller is told, and answers. */
  #conclude(decided: CacheOutcome): A {
    const { secret, metrics, store } = this.#ports;
    const { input, scope, seal } = this.#lookup;
    const isHit = decided.kind === "hit";
    const decisionId = seal(
      {
        entryId: isHit ? decided.entry.id : (decided.nearestId ?? ""),
        similarity: isHit ? decided.similarity : (decided.nearestSimilarity ?? 0),
        time: this.#now,
      },
      secret(),
    );
    const outcome = input.shadow && isHit ? shadowed(decided) : decided;
    count(metrics, outcome);
    // A cache that is switched off asks nothing of the store, not even to count.
    if (this.#settings.enabled) store.countLookup(scope, lookupOf(outcome), this.#now);
    return this.#answer({ decisionId, outcome });
  }

  #policy(): MatchingPolicy {
    const { threshold } = this.#lookup.input;
    const { similarityThreshold, alignedThreshold } = this.#settings;
    return {
      threshold: similarityThreshold ?? defaultThreshold(this.#ports.embedder?.identity),
      alignedThreshold,
      ...(threshold === undefined ? {} : { floor: threshold }),
      maxAgeMs: this.#maxAgeMs,
    };
  }

  /** Of the whole lookup, from its arrival on. */
  #timed(): Deadline {
    const { lookupDeadlineMs } = this.#settings;
    this.#deadline ??= new Deadline(lookupDeadlineMs, this.#context, this.#context.arrival);
    return this.#deadline;
  }
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

function count(metrics: Metrics, outcome: CacheOutcome): void {
  if (outcome.kind === "miss") metrics.cacheLookup("miss", outcome.reason);
  else metrics.cacheLookup(outcome.match === "EXACT" ? "exact" : "semantic", outcome.match);
}
