import { cached } from "../adapters/decorators/lru-embedder.ts";
import { switched } from "../adapters/decorators/switched-embedder.ts";
import { createHashingEmbedder } from "../adapters/hashing/embedder.ts";
import type { Config } from "../config/config.ts";
import { HASHING_MODEL, isBuiltIn } from "../domain/embedding/built-in-models.ts";
import type { Backend } from "../ports/backend.ts";
import type { Clock } from "../ports/clock.ts";
import type { Embedder, EmbedderIdentity } from "../ports/embedding/embedder.ts";
import type { ObservedEmbedder } from "../ports/embedding/embedder-status.ts";
import type { OpenedEmbedder, SwitchedEmbedder } from "../ports/embedding/switched-embedder.ts";
import type { Log } from "../ports/log.ts";
import type { EmbeddingMetrics } from "../ports/metrics.ts";
import type { Sleep } from "../ports/sleep.ts";
import { startPendingWorker } from "../services/embedding/pending-worker.ts";
import { type ReembeddingRunner, startReembeddingRunner } from "../services/embedding/reembedding-runner.ts";

/** The embedder of the server and its background workers. Undefined when vector search is switched off. */
export interface Embedding {
  /** The model of the stored vectors. */
  readonly identity: EmbedderIdentity | undefined;
  readonly embedder: SwitchedEmbedder | undefined;
  readonly runner: ReembeddingRunner | undefined;
}

/**
 * Opens the embedder of the store's model, and starts the worker of the embedding queue and the runner of re-embeddings.
 * They write to the backend, so `resources` must close it after them.
 */
export async function startEmbedding(
  config: Config,
  parts: Omit<EmbedderParts, "onRecovered" | "backend"> & {
    readonly backend: Backend;
    readonly sleep: Sleep;
    /** Replaces the configured one. */
    readonly embedder: Embedder | undefined;
  },
  resources: AsyncDisposableStack,
): Promise<Embedding> {
  const { clock, log, metrics, backend, sleep } = parts;
  let onRecovered = (): void => undefined;
  // Includes embedders that a re-embedding opens later: they stay open until the server stops.
  const embedders = resources.use(new AsyncDisposableStack());
  const open = (identity: EmbedderIdentity): Promise<OpenedEmbedder> =>
    openEmbedder(
      config,
      identity,
      { clock, log, metrics, backend, onRecovered: () => onRecovered() },
      embedders,
    );
  const identity = backend.reembedding.identity();
  if (identity === undefined) return { identity, embedder: undefined, runner: undefined };
  const embedder = switched(parts.embedder ?? (await open(identity)));
  const background = { clock, sleep, random: Math.random, log, embedder };
  const runner = resources.use(startReembeddingRunner({ ...background, store: backend.reembedding, open }));
  // The new data may contain a running re-embedding.
  backend.onReplaced?.(() => runner.run());
  const worker = resources.use(
    startPendingWorker({ ...background, pendingMemories: backend.pendingMemories }),
  );
  onRecovered = worker.recovered;
  return { identity, embedder, runner };
}

interface EmbedderParts {
  readonly clock: Clock;
  readonly log: Log;
  readonly metrics: EmbeddingMetrics;
  readonly backend: Pick<Backend, "embeddings">;
  readonly onRecovered: () => void;
}

/** An embedder of this model, which a store may keep or have been changed to whatever provider is configured. */
async function openEmbedder(
  config: Config,
  identity: EmbedderIdentity,
  parts: EmbedderParts,
  resources: AsyncDisposableStack,
): Promise<OpenedEmbedder> {
  if (isBuiltIn(identity.provider)) return openBuiltInEmbedder(config, identity, parts);
  return openRemoteEmbedder(config, identity, parts, resources);
}

/** Vectors of a built-in embedder that are cached: prompts are looked up again and again. */
const CACHED_BYTES = 8 * 1024 * 1024;

async function openBuiltInEmbedder(
  { embedding: { cacheTtlMs: ttlMs } }: Config,
  { provider, dimension }: EmbedderIdentity,
  { clock, metrics }: Pick<EmbedderParts, "clock" | "metrics">,
): Promise<Embedder> {
  const embedder = await openUncached(provider, dimension);
  const source = { ...embedder.identity, apiBase: "" };
  return cached(embedder, { source, ttlMs, maxBytes: CACHED_BYTES, clock, metrics });
}

async function openUncached(provider: string, dimension: number): Promise<Embedder> {
  if (provider === HASHING_MODEL.provider) return createHashingEmbedder(dimension);
  // Read only when it is chosen: 8 MB.
  const { openLocalEmbedder } = await import("../adapters/local/embedder.ts");
  return openLocalEmbedder();
}

/** Makes the embedder of the provider `openai`, without a request, so that a start does not depend on it. */
async function openRemoteEmbedder(
  { embedding, cache }: Config,
  { model, dimension }: EmbedderIdentity,
  parts: EmbedderParts,
  resources: AsyncDisposableStack,
): Promise<ObservedEmbedder> {
  const { clock, log, metrics, backend, onRecovered } = parts;
  // Imported only when it is used: the client takes a fifth of a second and 40 MB.
  const [{ createOpenAiEmbedder }, { createResilientEmbedder }] = await Promise.all([
    import("../adapters/openai/embedder.ts"),
    import("../adapters/decorators/resilient-embedder.ts"),
  ]);
  const provider = resources.use(
    createOpenAiEmbedder({
      model,
      dimension,
      apiKey: embedding.apiKey ?? "",
      apiBase: embedding.apiBase,
      apiVersion: embedding.apiVersion ?? "",
      parameters: { encodingFormat: embedding.encodingFormat, dimensions: embedding.dimensions },
      log,
      clock,
      onTokens: metrics.embeddingTokens,
    }),
  );
  return resources.use(
    createResilientEmbedder(provider, {
      apiBase: embedding.apiBase,
      batchSize: embedding.batchSize,
      maxRetries: embedding.maxRetries,
      timeoutMs: embedding.timeoutMs,
      lookupTimeoutMs: cache.lookupDeadlineMs,
      cacheTtlMs: embedding.cacheTtlMs,
      cache: backend.embeddings,
      clock,
      random: Math.random,
      log,
      metrics,
      onRecovered,
    }),
  );
}
