import { type CallerName, type NamespaceKey, namespaceKeyOf } from "../../domain/access/tenancy.ts";
import { analyzePrompt, type PromptAnalysis } from "../../domain/cache/analysis.ts";
import { decisionRecipient, sealDecision } from "../../domain/cache/decision-token.ts";
import type { CacheEntry } from "../../domain/cache/entry.ts";
import { type GuardVerdict, guardPrompts } from "../../domain/cache/guard.ts";
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
  /** A floor under both thresholds of the settings. */
  readonly threshold?: number;
  readonly maxAgeMs?: number;
  /** Looks up and counts a miss, whatever is found. */
  readonly shadow: boolean;
}

/** The entry that a lookup decided on: served, or nearest; and when. */
export interface Decided {
  /** Empty: there was none. */
  readonly entryId: string;
  readonly similarity: number;
  /** Milliseconds since the epoch. */
  readonly time: number;
}

/** A vector of the prompt, with the model that made it. */
export type PromptVector = Pick<EmbeddedText, "vector" | "identity">;

/**
 * A lookup with what was computed for it. The read-only fields follow from the input and from the caller's tenant and
 * principal. The others hold results of earlier lookups of the same PreparedLookup, each with what it was computed
 * from; without them a lookup takes longer and decides the same. docs/design/prepared-lookup.md says how long one is kept.
 */
export interface PreparedLookup {
  readonly input: LookupCacheInput;
  readonly namespace: NamespaceKey;
  readonly fingerprint: string;
  /** Id of the entry that this prompt has in this cache scope. */
  readonly promptId: string;
  /** Of the decisions; see decisionRecipient. */
  readonly recipient: string;
  /** Of the prompt; see analysisOf. */
  analysis: PromptAnalysis | undefined;
  /** See verdictOn. */
  lastVerdict: { readonly etag: string; readonly verdict: GuardVerdict } | undefined;
  /** See decisionToken. */
  lastDecision: { readonly decided: Decided; readonly secret: SecretKey; readonly token: string } | undefined;
  /** See keptVector. */
  vector: { readonly of: WeakRef<Float32Array>; readonly identity: EmbeddedText["identity"] } | undefined;
}

/** Costs 6.7 us: three digests. A function of its arguments alone. */
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

/** What the guard compares. Kept: an analysis takes 46 us. Made at the first use: an exact hit needs none. */
export function analysisOf(lookup: PreparedLookup): PromptAnalysis {
  lookup.analysis ??= analyzePrompt(lookup.input.prompt);
  return lookup.analysis;
}

/** What the guard holds of an entry. The last verdict is kept by the etag of its entry: the guard takes 13 us. */
export function verdictOn(lookup: PreparedLookup, { etag, analysis }: CacheEntry): GuardVerdict {
  if (lookup.lastVerdict?.etag !== etag) {
    lookup.lastVerdict = { etag, verdict: guardPrompts(analysisOf(lookup), analysis) };
  }
  return lookup.lastVerdict.verdict;
}

/**
 * The decision as a token; see sealDecision. Decisions are dated by the second, and the last one is kept: the same
 * decision within a second has the same token. Sealing takes 5 us.
 */
export function decisionToken(lookup: PreparedLookup, decided: Decided, secret: SecretKey): string {
  const { entryId, similarity } = decided;
  const time = decided.time - (decided.time % 1000);
  const last = lookup.lastDecision;
  if (
    last !== undefined &&
    last.decided.time === time &&
    last.decided.entryId === entryId &&
    last.decided.similarity === similarity &&
    last.secret.equals(secret)
  ) {
    return last.token;
  }
  const { recipient, promptId, fingerprint, input } = lookup;
  const { model } = input.cacheScope;
  const token = sealDecision({ recipient, promptId, fingerprint, model, entryId, similarity, time }, secret);
  lookup.lastDecision = { decided: { entryId, similarity, time }, secret, token };
  return token;
}

/**
 * The vector of the prompt, if its last lookup found no exact answer. Held weakly: the embedder keeps the vectors that
 * it made lately, within a bound (EMBEDDING_CACHE_*), and what it drops is embedded again.
 */
export function keptVector({ vector: kept }: PreparedLookup): PromptVector | undefined {
  const vector = kept?.of.deref();
  if (kept === undefined || vector === undefined) return undefined;
  return { vector, ...(kept.identity === undefined ? {} : { identity: kept.identity }) };
}

export function keepVector(lookup: PreparedLookup, { vector, identity }: PromptVector): void {
  lookup.vector = { of: new WeakRef(vector), identity };
}
