import { LRUCache } from "lru-cache";
import { type EmbeddingSource, embeddingKey } from "../../domain/embedding/key.ts";
import type { Clock } from "../../ports/clock.ts";
import type { EmbeddedText, Embedder } from "../../ports/embedding/embedder.ts";
import type { EmbeddingMetrics } from "../../ports/metrics.ts";

export interface LruOptions {
  readonly source: EmbeddingSource;
  /** 0: nothing is cached. */
  readonly ttlMs: number;
  /** Of the vectors and their overhead; the least recently used are evicted first. */
  readonly maxBytes: number;
  readonly clock: Clock;
  readonly metrics: Pick<EmbeddingMetrics, "embeddingCache">;
}

/** The overhead of an entry: key, list node, objects. */
const OVERHEAD_BYTES = 300;

/** Caches vectors in this process (LRU). A hit costs one digest. */
export function cached(embedder: Embedder, options: LruOptions): Embedder {
  const { clock, metrics, source } = options;
  if (options.ttlMs === 0) return embedder;
  const cache = new LRUCache<string, EmbeddedText>({
    maxSize: options.maxBytes,
    sizeCalculation: ({ vector }) => vector.byteLength + OVERHEAD_BYTES,
    ttl: options.ttlMs,
    ttlResolution: 0,
    perf: clock,
  });
  return {
    identity: embedder.identity,
    embed: async (texts, signal, urgency) => {
      signal.throwIfAborted();
      const keys = texts.map((text) => embeddingKey(source, text));
      const found = keys.map((key) => cache.get(key));
      const missing = [...keys.keys()].filter((index) => found[index] === undefined);
      if (missing.length < texts.length) metrics.embeddingCache("memory", texts.length - missing.length);
      if (missing.length === 0) return found.flatMap((one) => one ?? []);
      const requested = await embedder.embed(
        missing.map((index) => texts[index] ?? ""),
        signal,
        urgency,
      );
      const embeddedTexts = new Map(missing.map((index, position) => [index, requested[position]]));
      for (const [index, embedded] of embeddedTexts) {
        if (embedded !== undefined) cache.set(keys[index] ?? "", embedded);
      }
      return found.flatMap((one, index) => one ?? embeddedTexts.get(index) ?? []);
    },
  };
}
