import { create, toBinary } from "@bufbuild/protobuf";
import { LRUCache } from "lru-cache";
import { MemorySchema } from "#gen/recollect/v1/memory_pb.js";
import { type Memory, recordOf, type StoredMemory } from "../../domain/memory/memory.ts";
import { fromMemory } from "./memory.ts";

const MAX_BYTES = 16 * 1024 * 1024;

/**
 * Memories, without how they were used, as bytes of their message, the most recently used ones. They are found by all that
 * the bytes depend on: the namespace, the etag, which is a digest of the content with the id, and what the etag leaves out.
 * Finding one takes 0.6 us, encoding it 18 us (a memory of random-memories.ts).
 */
export class EncodedMemories {
  readonly #encoded = new LRUCache<string, Uint8Array>({
    maxSize: MAX_BYTES,
    sizeCalculation: (bytes, key) => bytes.length + key.length,
  });

  of(memory: StoredMemory, namespace: string): Uint8Array {
    const key = keyOf(memory, namespace);
    let encoded = this.#encoded.get(key);
    if (encoded === undefined) {
      encoded = toBinary(MemorySchema, create(MemorySchema, fromMemory(recordOf(memory), namespace)));
      this.#encoded.set(key, encoded);
    }
    return encoded;
  }
}

function keyOf({ etag, sessionPosition, embedding }: Memory, namespace: string): string {
  const { state, provider, model, dimension, truncated, refusal = "" } = embedding;
  return JSON.stringify([
    namespace,
    etag,
    sessionPosition,
    state,
    provider,
    model,
    dimension,
    truncated,
    refusal,
  ]);
}
