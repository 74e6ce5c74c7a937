import { LRUCache } from "lru-cache";
import { type EmbeddingSource, embeddingKey } from "../../domain/embedding/key.ts";
import type { Clock } from "../../ports/clock.ts";
import type { EmbeddedText, Embedder } from "../../ports/embedding/embedder.ts";
import type { EmbeddingMetrics } from "../../ports/metrics.ts";

export interface LruOptions {
  readonly source: EmbeddingSource;
  /** 0: nothing is cached. */
  readonly ttlMs: number;
  /** Of the vectors and what is around them; the least recently used go first. */
  readonly maxBytes: number;
  readonly clock: Clock;
  readonly metrics: Pick<EmbeddingMetrics, "embeddingCache">;
}

/** What an entry takes beside its vector: the key, the list, the objects. */
const OVERHEAD_BYTES = 300;

/** Keeps vectors in this process, the most recently used ones: a text that is asked for again costs a digest. */
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
      const known = keys.map((key) => cache.get(key));
      const unknown = [...keys.keys()].filter((index) => known[index] === undefined);
      if (unknown.length < texts.length) metrics.embeddingCache("memory", texts.length - unknown.length);
      if (unknown.length === 0) return known.flatMap((one) => one ?? []);
      const asked = await embedder.embed(
        unknown.map((index) => texts[index] ?? ""),
        signal,
        urgency,
      );
      const fresh = new Map(unknown.map((index, place) => [index, asked[place]]));
      for (const [index, embedded] of fresh) {
        if (embedded !== undefined) cache.set(keys[index] ?? "", embedded);
      }
      return known.flatMap((one, index) => one ?? fresh.get(index) ?? []);
    },
  };
}
