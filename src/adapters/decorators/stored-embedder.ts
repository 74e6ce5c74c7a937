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
 * Asks only for what is not kept already, by this process or another, and keeps what it gets. Nobody waits for the
 * keeping, and a cache that fails costs money, never an answer. Disposing it waits for what is being written.
 */
export function stored(embedder: BatchEmbedder, options: StoredOptions): BatchEmbedder & AsyncDisposable {
  const { cache, clock, log, metrics, source } = options;
  const writing = new Set<Promise<void>>();

  const read = async (keys: readonly string[]): Promise<readonly (EmbeddedText | undefined)[]> => {
    try {
      return await cache.get(keys, clock.now());
    } catch (error) {
      log.warn({ err: error }, "kept embeddings cannot be read: all are asked for");
      return [];
    }
  };
  const keep = (entries: readonly CachedEmbedding[]): void => {
    if (entries.length === 0) return;
    const now = clock.now();
    const write = cache
      .put(entries, { now, expireTime: now + options.ttlMs })
      .catch((error: unknown) =>
        log.warn({ err: error }, "embeddings were not kept: they will be asked for again"),
      )
      .finally(() => writing.delete(write));
    writing.add(write);
  };

  return {
    identity: embedder.identity,
    embedEach: async (texts, signal, urgency) => {
      const keys = texts.map((text) => embeddingKey(source, text));
      const kept = await read(keys);
      // A row of another length is damage that no checksum sees.
      const found = keys.map((_, index) => {
        const one = kept[index];
        return one?.vector.length === source.dimension ? one : undefined;
      });
      const missing = [...keys.keys()].filter((index) => found[index] === undefined);
      if (missing.length < texts.length) metrics.embeddingCache("store", texts.length - missing.length);
      if (missing.length === 0) return found.flatMap((one) => (one === undefined ? [] : [fulfilled(one)]));
      metrics.embeddingCache("miss", missing.length);
      const asked = await embedder.embedEach(
        missing.map((index) => texts[index] ?? ""),
        signal,
        urgency,
      );
      const fresh = new Map(missing.map((index, place) => [index, asked[place]]));
      keep(
        [...fresh].flatMap(([index, outcome]) =>
          outcome?.status === "fulfilled" ? [{ key: keys[index] ?? "", embedded: outcome.value }] : [],
        ),
      );
      return found.flatMap((one, index) => {
        const outcome = one === undefined ? fresh.get(index) : fulfilled(one);
        return outcome === undefined ? [] : [outcome];
      });
    },
    [Symbol.asyncDispose]: async () => {
      await Promise.all(writing);
    },
  };
}
