import type { Memory } from "../../../domain/memory/memory.ts";
import type { EmbedderIdentity } from "../../../ports/embedding/embedder.ts";
import { RecordCache } from "../namespaces/record-cache.ts";

/** Of records by their plain length; the objects take some three times as much. */
const MAX_BYTES = 8 * 1024 * 1024;

/** What a memory takes beside its record: the key, the objects. */
const OVERHEAD_BYTES = 500;

/** A memory, and what it was made of. */
export interface CachedMemory {
  readonly memory: Memory;
  /** What its etag stands for, which is a hash of it. */
  readonly record: Omit<Memory, "sessionPosition" | "embedding">;
  /** That the record takes when it is not compressed. */
  readonly bytes: number;
  readonly position: number;
  /** As it is stored. */
  readonly embedding: string;
  /** Of all stored vectors when it was read. */
  readonly identity: EmbedderIdentity | undefined;
}

export type MemoryCache = RecordCache<CachedMemory>;

export function createMemoryCache(): MemoryCache {
  return new RecordCache({ maxBytes: MAX_BYTES, bytesOf: ({ bytes }) => bytes + OVERHEAD_BYTES });
}
