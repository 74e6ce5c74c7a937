import { type EmbeddingSource, embeddingKey } from "../../domain/embedding/key.ts";
import type { Clock } from "../../ports/clock.ts";
import type { EmbeddedText } from "../../ports/embedding/embedder.ts";
import type { CachedEmbedding, EmbeddingCache } from "../../ports/embedding/embedding-cache.ts";
import type { Log } from "../../ports/log.ts";
import type { EmbeddingMetrics } from "../../ports/metrics.ts";
import { type BatchEmbedder, fulfilled } from "./batch-embedder.ts";

export interface StoredOptions {
  readonly cache: EmbeddingCache;
  readonly source: EmbeddingSource;
  readonly ttlMs: number;
  readonly clock: Clock;
  readonly log: Log;
  readonly metrics: Pick<EmbeddingMetrics, "embeddingCache">;
}

/**
 * Reads vectors from the persistent cache, which other processes may share, requests the missing ones and writes them to
 * the cache. Callers do not wait for these writes, and a failing cache causes requests, not errors. Disposing it waits for
 * running writes.
 */
export function stored(embedder: BatchEmbedder, options: StoredOptions): BatchEmbedder & AsyncDisposable {
  const { cache, clock, log, metrics, source } = options;
  const writing = new Set<Promise<void>>();

  const read = async (keys: readonly string[]): Promise<readonly (EmbeddedText | undefined)[]> => {
    try {
      return await cache.get(keys, clock.now());
    } catch (error) {
      log.warn({ err: error }, "the embedding cache cannot be read: all embeddings are requested");
      return [];
    }
  };
  const store = (entries: readonly CachedEmbedding[]): void => {
    if (entries.length === 0) return;
    const now = clock.now();
    const write = cache
      .put(entries, { now, expireTime: now + options.ttlMs })
      .catch((error: unknown) =>
        log.warn({ err: error }, "the embedding cache cannot be written: embeddings will be requested again"),
      )
      .finally(() => writing.delete(write));
    writing.add(write);
  };

  return {
    identity: embedder.identity,
    embedEach: async (texts, signal, urgency) => {
      const keys = texts.map((text) => embeddingKey(source, text));
      const cached = await read(keys);
      // A vector of another length is a damaged entry.
      const found = keys.map((_, index) => {
        const one = cached[index];
        return one?.vector.length === source.dimension ? one : undefined;
      });
      const missing = [...keys.keys()].filter((index) => found[index] === undefined);
      if (missing.length < texts.length) metrics.embeddingCache("store", texts.length - missing.length);
      if (missing.length === 0) return found.flatMap((one) => (one === undefined ? [] : [fulfilled(one)]));
      metrics.embeddingCache("miss", missing.length);
      const requested = await embedder.embedEach(
        missing.map((index) => texts[index] ?? ""),
        signal,
        urgency,
      );
      const outcomes = new Map(missing.map((index, position) => [index, requested[position]]));
      store(
        [...outcomes].flatMap(([index, outcome]) =>
          outcome?.status === "fulfilled" ? [{ key: keys[index] ?? "", embedded: outcome.value }] : [],
        ),
      );
      return found.flatMap((one, index) => {
        const outcome = one === undefined ? outcomes.get(index) : fulfilled(one);
        return outcome === undefined ? [] : [outcome];
      });
    },
    [Symbol.asyncDispose]: async () => {
      await Promise.all(writing);
    },
  };
}
