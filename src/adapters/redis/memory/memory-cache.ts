import type { Memory } from "../../../domain/memory/memory.ts";
import type { EmbedderIdentity } from "../../../ports/embedding/embedder.ts";
import { RecordCache } from "../namespaces/record-cache.ts";

/** Bound on the plain length of the cached records; the objects take some three times as much. */
const MAX_BYTES = 8 * 1024 * 1024;

/** Bytes of a cached memory beside its record: the key, the objects. */
const OVERHEAD_BYTES = 500;

/** A parsed memory, and its stored parts. */
export interface CachedMemory {
  readonly memory: Memory;
  /** The fields whose hash is its etag. */
  readonly record: Omit<Memory, "sessionPosition" | "embedding">;
  /** Size of its uncompressed record. */
  readonly bytes: number;
  readonly position: number;
  /** The stored JSON. */
  readonly embedding: string;
  /** The model of all stored vectors when the memory was read. */
  readonly identity: EmbedderIdentity | undefined;
}

export type MemoryCache = RecordCache<CachedMemory>;

export function createMemoryCache(): MemoryCache {
  return new RecordCache({ maxBytes: MAX_BYTES, bytesOf: ({ bytes }) => bytes + OVERHEAD_BYTES });
}
