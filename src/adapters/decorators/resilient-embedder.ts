import type { Clock } from "../../ports/clock.ts";
import type { Embedder } from "../../ports/embedding/embedder.ts";
import type { ObservedEmbedder } from "../../ports/embedding/embedder-status.ts";
import type { EmbeddingCache } from "../../ports/embedding/embedding-cache.ts";
import type { Log } from "../../ports/log.ts";
import type { EmbeddingMetrics } from "../../ports/metrics.ts";
import { bounded } from "./bounded-embedder.ts";
import { breakable } from "./breaker-embedder.ts";
import { coalesced } from "./coalesced-embedder.ts";
import { deadlined } from "./deadline-embedder.ts";
import { cached } from "./lru-embedder.ts";
import { measured } from "./measured-embedder.ts";
import { retrying } from "./retrying-embedder.ts";
import { splitting } from "./splitting-embedder.ts";
import { stored } from "./stored-embedder.ts";

export interface ResilientEmbedderOptions {
  /** Where the provider is: the same model elsewhere may be another one. */
  readonly apiBase: string;
  /** Texts in one request. */
  readonly batchSize: number;
  /** Attempts after the first, for writes. */
  readonly maxRetries: number;
  /** Of a write, with all its attempts. */
  readonly timeoutMs: number;
  /** Of a lookup, which has one attempt. */
  readonly lookupTimeoutMs: number;
  /** How long vectors are kept; 0: not at all. */
  readonly cacheTtlMs: number;
  readonly cache: EmbeddingCache;
  readonly clock: Clock;
  /** 0 to below 1. */
  readonly random: () => number;
  readonly log: Log;
  readonly metrics: EmbeddingMetrics;
  /** The breaker of writes has closed again. */
  readonly onRecovered?: () => void;
}

/** Some 5,000 vectors of 1,536 numbers. */
const MEMORY_BYTES = 32 * 1024 * 1024;
/** A quarter of a million tokens, more or less; providers limit that too. */
const BATCH_CHARACTERS = 1024 * 1024;
const WINDOW_MS = 3;
const MAX_CONCURRENT = 4;
/** Fifty of the largest batch requests, or what they hold at most. */
const QUEUE_TEXTS = 10_000;
const QUEUE_CHARACTERS = 64 * 1024 * 1024;
const RETRY_DELAYS = { baseDelayMs: 250, maxDelayMs: 8000 };
const BREAKER = { failureThreshold: 5, openMs: 5000, maxOpenMs: 60_000 };

/**
 * Everything that stands between a caller and a provider that fails, each in a file of its own. From the inside:
 *
 * - measured: counts what was really asked, so it is next to the provider;
 * - breaker: sees each attempt, so that the retries of one write are enough to open it, and it ends them;
 * - retrying: around the breaker, which it never waits for;
 * - deadline: around the retries, for the time is that of the caller, and not of an attempt;
 * - splitting: around the deadline: a part of a batch is a request of its own. From here on each text has its own
 *   outcome;
 * - stored: kept vectors are read and written by the batch, once for all who wait. Outside the breaker: what is kept is
 *   served whatever the provider does;
 * - coalesced: makes the batches, so everything that can be done by batches is below it;
 * - bounded: counts who waits, in the queue above and for requests below;
 * - cached: outermost, because it neither waits nor asks: a vector in memory does not even enter the queue.
 *
 * Disposing it aborts what is out and waits for what is being kept; the provider is its owner's to dispose of.
 */
export function createResilientEmbedder(
  provider: Embedder,
  options: ResilientEmbedderOptions,
): ObservedEmbedder & AsyncDisposable {
  const { cache, clock, log, metrics } = options;
  const source = { ...provider.identity, apiBase: options.apiBase };
  const ttlMs = options.cacheTtlMs;
  const resources = new AsyncDisposableStack();

  const breaker = breakable(measured(provider, metrics), {
    policy: BREAKER,
    clock,
    log,
    metrics,
    onRecovered: () => options.onRecovered?.(),
  });
  const retried = retrying(breaker, {
    policy: { maxRetries: options.maxRetries, ...RETRY_DELAYS },
    random: options.random,
    metrics,
  });
  const split = splitting(deadlined(retried, { WRITE: options.timeoutMs, LOOKUP: options.lookupTimeoutMs }));
  const kept =
    ttlMs === 0 ? split : resources.use(stored(split, { cache, source, ttlMs, clock, log, metrics }));
  const batched = resources.use(
    coalesced(kept, {
      batch: { maxTexts: options.batchSize, maxCharacters: BATCH_CHARACTERS },
      windowMs: WINDOW_MS,
      maxConcurrent: MAX_CONCURRENT,
    }),
  );
  const queue = bounded(batched, { maxTexts: QUEUE_TEXTS, maxCharacters: QUEUE_CHARACTERS });
  const embedder = cached(queue, { source, ttlMs, maxBytes: MEMORY_BYTES, clock, metrics });
  return {
    identity: provider.identity,
    status: breaker.status,
    embed: embedder.embed,
    [Symbol.asyncDispose]: () => resources.disposeAsync(),
  };
}
