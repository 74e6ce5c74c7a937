import { LRUCache } from "lru-cache";
import type { Memory } from "../../domain/memory/memory.ts";
import type { EmbedderIdentity } from "../../ports/embedder.ts";

/** What records may take here, by their plain length; the objects take some three times as much. */
const MAX_BYTES = 8 * 1024 * 1024;

/** What a memory takes beside its record: the key, the objects. */
const OVERHEAD_BYTES = 500;

/** A memory, and all that it was made of. */
export interface KnownMemory {
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

/**
 * Memories that were read lately, as objects. They are never trusted: who asks Redis says which etag it has, and is sent
 * the record only when that is not the one, so that a search whose memories were found before parses no JSON, and the same
 * memory is the same object.
 */
export class KnownMemories {
  readonly #memories = new LRUCache<string, KnownMemory>({
    maxSize: MAX_BYTES,
    sizeCalculation: ({ bytes }) => bytes + OVERHEAD_BYTES,
  });

  /** By the memory's key in Redis. */
  get(key: string): KnownMemory | undefined {
    return this.#memories.get(key);
  }

  keep(key: string, known: KnownMemory): void {
    this.#memories.set(key, known);
  }

  forget(key: string): void {
    this.#memories.delete(key);
  }
}
