import { type NamespaceKey, namespaceKeyOf } from "../../domain/access/tenancy.ts";
import { analyzePrompt } from "../../domain/cache/analysis.ts";
import { decisionRecipient, invalidDecision, openDecisionFor } from "../../domain/cache/decision-token.ts";
import type { CacheEntry, CacheUsage } from "../../domain/cache/entry.ts";
import { knowledgeDigest } from "../../domain/cache/invalidation.ts";
import { confidenceAfter, lifetimeOf } from "../../domain/cache/lifetime.ts";
import { type CacheScope, cacheEntryId, scopeFingerprint } from "../../domain/cache/scope.ts";
import { isCutOff, isRefusal, type Unfit } from "../../domain/cache/storable.ts";
import { volatilityOf } from "../../domain/cache/volatility.ts";
import { isEmbedderFailure } from "../../domain/embedding/failure.ts";
import { RecollectError } from "../../domain/errors.ts";
import { checkMetadata } from "../../domain/memory/draft.ts";
import { digest } from "../../lib/digest.ts";
import { canonicalJson, type JsonObject } from "../../lib/json.ts";
import type { SecretKey } from "../../lib/secret-key.ts";
import type { CacheStore, PutRefusal } from "../../ports/cache/cache-store.ts";
import type { Clock } from "../../ports/clock.ts";
import type { EmbeddedText, Embedder } from "../../ports/embedding/embedder.ts";
import type { Log } from "../../ports/log.ts";
import type { EvictionMetrics } from "../../ports/metrics.ts";
import type { Reloadable } from "../../ports/reloadable.ts";
import type { WorkQueue } from "../../ports/work-queue.ts";
import { type CallContext, idempotentRequest } from "../call.ts";
import type { CacheSettings } from "./cache-settings.ts";
import type { FullNamespaces } from "./full-namespaces.ts";

export interface StoreCacheEntryInput {
  readonly namespace: string;
  readonly prompt: string;
  readonly origin:
    | { readonly kind: "scope"; readonly cacheScope: CacheScope }
    | { readonly kind: "decision"; readonly decisionId: string };
  readonly response: string;
  readonly ttlMs?: number;
  readonly tags: readonly string[];
  readonly metadata: JsonObject;
  readonly usage?: CacheUsage;
  /** As the model reports it. */
  readonly finishReason?: string;
  readonly requestId?: string;
}

export interface StoreCacheEntryPorts {
  readonly store: Pick<CacheStore, "put" | "lookup">;
  /** Undefined: vector search is switched off; entries are then found by exact match only. */
  readonly embedder: Embedder | undefined;
  /** See ServerSecret. */
  readonly secret: () => SecretKey;
  readonly clock: Clock;
  readonly metrics: EvictionMetrics;
  readonly log: Log;
  readonly settings: Reloadable<CacheSettings>;
  readonly work: WorkQueue;
  readonly fullNamespaces: FullNamespaces;
}

/** The entry, or why it was not stored. */
export type StoredCacheEntry =
  | { readonly kind: "stored"; readonly entry: CacheEntry; readonly replaced: boolean }
  | { readonly kind: "notStored"; readonly reason: PutRefusal | Unfit };

/**
 * Stores an answer, replacing the one to the same prompt; a full namespace evicts others or does not admit it. When the
 * prompt cannot be embedded now, the entry is found by exact match only. Rejects with CACHE_DISABLED, DECISION_INVALID or
 * CACHE_INVALIDATED.
 */
export async function storeCacheEntry(
  ports: StoreCacheEntryPorts,
  input: StoreCacheEntryInput,
  context: CallContext,
): Promise<StoredCacheEntry> {
  const settings = ports.settings();
  if (!settings.enabled) {
    throw new RecollectError("CACHE_DISABLED", "the cache is switched off (CACHE_ENABLED=false)");
  }
  const now = ports.clock.now();
  const namespaceKey = namespaceKeyOf(context.caller, input.namespace);
  checkMetadata(input.metadata, "metadata");
  const origin = await originOf(ports, namespaceKey, input, context.caller.principal, now);
  const { fingerprint, model, knowledge } = origin;
  const id = cacheEntryId(namespaceKey, fingerprint, input.prompt);
  const life = await lifeOf(ports, namespaceKey, { ...input, id }, now);
  if (life.kind === "notStored") {
    ports.metrics.cacheEntryNotStored(life.reason);
    return life;
  }
  const content = {
    id,
    fingerprint,
    model,
    knowledge,
    prompt: input.prompt,
    response: input.response,
    tags: input.tags,
    metadata: input.metadata,
    ...(input.usage === undefined ? {} : { usage: input.usage }),
    createTime: now,
    ...life.fields,
  };
  const entry: CacheEntry = {
    ...content,
    analysis: analyzePrompt(input.prompt),
    etag: digest(canonicalJson(JSON.parse(JSON.stringify(content)))).slice(0, 32),
  };
  const embedded = await embedPrompt(ports, input.prompt, context.signal);
  const { requestId, ...body } = input;
  const request = idempotentRequest(context, "StoreCacheEntry", requestId, body, now);
  const { deadline, signal } = context;
  const stored = await ports.work.run({ tenant: namespaceKey.tenant, kind: "WRITE", deadline }, signal, () =>
    ports.store.put(namespaceKey, entry, {
      now,
      maxEntries: settings.maxEntries,
      ...(origin.generation === undefined ? {} : { decidedAt: origin.generation }),
      ...(settings.maxBytes === undefined ? {} : { maxBytes: settings.maxBytes }),
      policy: settings.evictionPolicy,
      ...(embedded === undefined ? {} : { vector: embedded.vector }),
      ...(embedded?.identity === undefined ? {} : { model: embedded.identity }),
      ...(request === undefined ? {} : { request }),
    }),
  );
  if (stored.evicted > 0) ports.metrics.cacheEvicted(stored.evicted);
  ports.fullNamespaces.saw(namespaceKey, stored, settings);
  if (stored.refused === undefined) return { kind: "stored", entry: stored.entry, replaced: stored.replaced };
  ports.metrics.cacheEntryNotStored(stored.refused);
  return { kind: "notStored", reason: stored.refused };
}

interface Origin {
  readonly fingerprint: string;
  readonly model: string;
  /** See knowledgeDigest. */
  readonly knowledge: string;
  /** The generation of the namespace at the decision; undefined: there was none. */
  readonly generation?: number;
}

type LifeOfEntry =
  | { readonly kind: "stored"; readonly fields: Pick<CacheEntry, "expireTime" | "dueTime" | "confidence"> }
  | { readonly kind: "notStored"; readonly reason: Unfit };

/** How long the answer is served, or why it is not stored. A TTL in the call is taken as it is, up to the maximum age. */
async function lifeOf(
  ports: Pick<StoreCacheEntryPorts, "store" | "settings">,
  namespaceKey: NamespaceKey,
  { id, prompt, response, finishReason = "", ttlMs }: StoreCacheEntryInput & { readonly id: string },
  now: number,
): Promise<LifeOfEntry> {
  const { adaptiveTtl, defaultTtlMs, maxAgeMs } = ports.settings();
  if (isCutOff(finishReason)) return { kind: "notStored", reason: "TRUNCATED" };
  const plain = { expireTime: now + Math.min(ttlMs ?? defaultTtlMs, maxAgeMs) };
  if (!adaptiveTtl) return { kind: "stored", fields: plain };
  if (isRefusal(response)) return { kind: "notStored", reason: "REFUSAL" };
  if (ttlMs !== undefined) return { kind: "stored", fields: plain };
  const volatility = volatilityOf(prompt);
  if (volatility === "LIVE") return { kind: "notStored", reason: "VOLATILE" };
  const { exact } = await ports.store.lookup(namespaceKey, { id }, now);
  const confidence = exact === undefined ? 1 : confidenceAfter(exact, response, now);
  const jitter = jitterOf(id, now);
  const { expiresAfter, dueAfter } = lifetimeOf({
    baseMs: defaultTtlMs,
    maxAgeMs,
    volatility,
    confidence,
    jitter,
  });
  return {
    kind: "stored",
    fields: {
      expireTime: now + expiresAfter,
      ...(dueAfter === undefined ? {} : { dueTime: now + dueAfter }),
      ...(confidence === 1 ? {} : { confidence }),
    },
  };
}

/** In [0, 1): the same for a retry, unrelated between entries and times. */
function jitterOf(id: string, now: number): number {
  return Number.parseInt(digest(id, String(now)).slice(0, 8), 16) / 2 ** 32;
}

async function originOf(
  ports: Pick<StoreCacheEntryPorts, "secret">,
  namespaceKey: NamespaceKey,
  input: StoreCacheEntryInput,
  principal: string,
  now: number,
): Promise<Origin> {
  const { origin } = input;
  if (origin.kind === "scope") {
    const { model, knowledgeVersion } = origin.cacheScope;
    return {
      fingerprint: scopeFingerprint(origin.cacheScope),
      model,
      knowledge: knowledgeDigest(knowledgeVersion),
    };
  }
  const recipient = decisionRecipient(namespaceKey, principal);
  const decision = openDecisionFor(recipient, origin.decisionId, ports.secret(), now);
  if (decision.promptId !== cacheEntryId(namespaceKey, decision.fingerprint, input.prompt)) {
    throw invalidDecision("prompt");
  }
  return decision;
}

async function embedPrompt(
  ports: StoreCacheEntryPorts,
  prompt: string,
  signal: AbortSignal,
): Promise<EmbeddedText | undefined> {
  if (ports.embedder === undefined) return undefined;
  try {
    const [embedded] = await ports.embedder.embed([prompt], signal);
    return embedded;
  } catch (error) {
    if (!isEmbedderFailure(error)) throw error;
    ports.log.warn(
      { err: error },
      "cache entry stored without its vector: it will be found by exact match only",
    );
    return undefined;
  }
}
