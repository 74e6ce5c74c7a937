import { type CallerName, type NamespaceKey, namespaceKeyOf } from "../../domain/access/tenancy.ts";
import { analyzePrompt, type PromptAnalysis } from "../../domain/cache/analysis.ts";
import { decisionRecipient, sealDecision } from "../../domain/cache/decision-token.ts";
import type { CacheEntry } from "../../domain/cache/entry.ts";
import { type GuardVerdict, guardPrompts } from "../../domain/cache/guard.ts";
import type { GuardStrictness } from "../../domain/cache/guard-strictness.ts";
import { knowledgeDigest } from "../../domain/cache/invalidation.ts";
import type { Lexicon } from "../../domain/cache/lexicon.ts";
import { type CacheScope, cacheEntryId, scopeFingerprint } from "../../domain/cache/scope.ts";
import type { SecretKey } from "../../lib/secret-key.ts";
import type { EmbeddedText } from "../../ports/embedding/embedder.ts";

export type CacheStrategy = "HYBRID" | "EXACT" | "SEMANTIC";

export interface LookupCacheInput {
  readonly namespace: string;
  readonly prompt: string;
  readonly cacheScope: CacheScope;
  /** Absent: that of the settings. */
  readonly strategy?: CacheStrategy;
  /** A minimum for both thresholds of the settings, which cannot lower them. */
  readonly threshold?: number;
  /** Absent: that of the namespace, or of the settings. See strictnessOf. */
  readonly guard?: GuardStrictness;
  readonly maxAgeMs?: number;
  /** Answers and counts a miss even when an entry matches. */
  readonly shadow: boolean;
}

/** What a lookup decided: the entry (served, or nearest), and when. */
export interface Decided {
  /** Empty: none. */
  readonly entryId: string;
  readonly similarity: number;
  /** See DecisionRecord. */
  readonly servedCreateTime: number;
  /** See DecisionRecord. */
  readonly generation: number;
  /** Milliseconds since the epoch. */
  readonly time: number;
}

/** The vector of the prompt, and its model. */
export type PromptVector = Pick<EmbeddedText, "vector" | "identity">;

/**
 * A lookup and values computed for it. The read-only fields follow from the input and from the caller's tenant and
 * principal. The others cache results of earlier lookups of the same PreparedLookup, each with its cache key; without them
 * a lookup takes longer and decides the same. docs/design/prepared-lookup.md describes their lifetime.
 */
export interface PreparedLookup {
  readonly input: LookupCacheInput;
  readonly namespace: NamespaceKey;
  readonly fingerprint: string;
  /** See cacheEntryId. */
  readonly promptId: string;
  /** See decisionRecipient. */
  readonly recipient: string;
  /** See analysisOf. */
  analysis: PromptAnalysis | undefined;
  /** See verdictOn. */
  lastVerdict: { readonly etag: string; readonly verdict: GuardVerdict } | undefined;
  /** See decisionToken. */
  lastDecision: { readonly decided: Decided; readonly secret: SecretKey; readonly token: string } | undefined;
  /** See cachedVector. */
  vector: { readonly of: WeakRef<Float32Array>; readonly identity: EmbeddedText["identity"] } | undefined;
}

/** Takes 6.7 us: three digests. Pure. */
export function prepareLookup(input: LookupCacheInput, caller: CallerName): PreparedLookup {
  const namespace = namespaceKeyOf(caller, input.namespace);
  const fingerprint = scopeFingerprint(input.cacheScope);
  return {
    input,
    namespace,
    fingerprint,
    promptId: cacheEntryId(namespace, fingerprint, input.prompt),
    recipient: decisionRecipient(namespace, caller.principal),
    analysis: undefined,
    lastVerdict: undefined,
    lastDecision: undefined,
    vector: undefined,
  };
}

/** The analysis of the prompt. Cached, because it takes 46 us; computed at the first use, because an exact hit needs none. */
export function analysisOf(lookup: PreparedLookup): PromptAnalysis {
  lookup.analysis ??= analyzePrompt(lookup.input.prompt);
  return lookup.analysis;
}

/**
 * The guard's verdict on an entry. The last one is cached by the etag of the entry, because the guard takes 13 us. It is the
 * same at every strictness: what a strictness refuses is read from it (reasonsAt).
 */
export function verdictOn(
  lookup: PreparedLookup,
  { etag, analysis }: CacheEntry,
  lexicon: Lexicon,
): GuardVerdict {
  if (lookup.lastVerdict?.etag !== etag) {
    lookup.lastVerdict = { etag, verdict: guardPrompts(analysisOf(lookup), analysis, lexicon) };
  }
  return lookup.lastVerdict.verdict;
}

/**
 * The decision as a token; see sealDecision. The time is rounded down to the second, and the last token is cached, because
 * sealing takes 5 us: the same decision within a second has the same token.
 */
export function decisionToken(lookup: PreparedLookup, decided: Decided, secret: SecretKey): string {
  const { entryId, similarity, servedCreateTime, generation } = decided;
  const time = decided.time - (decided.time % 1000);
  const last = lookup.lastDecision;
  if (
    last !== undefined &&
    last.decided.time === time &&
    last.decided.entryId === entryId &&
    last.decided.similarity === similarity &&
    last.decided.servedCreateTime === servedCreateTime &&
    last.decided.generation === generation &&
    last.secret.equals(secret)
  ) {
    return last.token;
  }
  const { recipient, promptId, fingerprint, input } = lookup;
  const { model, knowledgeVersion } = input.cacheScope;
  const knowledge = knowledgeDigest(knowledgeVersion);
  const rounded: Decided = { entryId, similarity, servedCreateTime, generation, time };
  const token = sealDecision({ recipient, promptId, fingerprint, model, knowledge, ...rounded }, secret);
  lookup.lastDecision = { decided: rounded, secret, token };
  return token;
}

/**
 * The cached vector of the prompt, if its last lookup found no exact match. A weak reference: the embedder caches recent
 * vectors within a bound (EMBEDDING_CACHE_*), and a prompt whose vector was evicted is embedded again.
 */
export function cachedVector({ vector: cached }: PreparedLookup): PromptVector | undefined {
  const vector = cached?.of.deref();
  if (cached === undefined || vector === undefined) return undefined;
  return { vector, ...(cached.identity === undefined ? {} : { identity: cached.identity }) };
}

export function cacheVector(lookup: PreparedLookup, { vector, identity }: PromptVector): void {
  lookup.vector = { of: new WeakRef(vector), identity };
}
