import type { MemoryDraft } from "../../domain/memory/draft.ts";
import {
  duplicateKey,
  etagOf,
  indexedText,
  type Memory,
  type MemoryEmbedding,
} from "../../domain/memory/memory.ts";
import { termsOf } from "../../domain/text/terms.ts";
import type { EmbeddedText, Embedder } from "../../ports/embedder.ts";
import type { Replacement } from "../../ports/memory-store.ts";

/** What a draft does not say of a memory. */
export interface MemoryOrigin {
  readonly id: string;
  readonly createTime: number;
  readonly updateTime: number;
  readonly state: Memory["state"];
  readonly supersedes?: readonly string[];
  readonly supersededBy: string;
}

/** A memory ready to be written: with its etag, and with what the indexes need. */
export function prepareMemory(
  draft: MemoryDraft,
  origin: MemoryOrigin,
  embedder: Embedder | undefined,
  embedded: EmbeddedText | undefined,
): Replacement {
  const { ttlMs, expireTime, ...given } = draft;
  const ends = ttlMs === undefined ? expireTime : origin.updateTime + ttlMs;
  const content = { ...given, ...(ends === undefined ? {} : { expireTime: ends }), ...origin };
  const memory: Memory = {
    ...content,
    sessionPosition: 0,
    etag: etagOf(content),
    embedding: embeddingOf(embedder, embedded),
  };
  return {
    memory,
    duplicateKey: duplicateKey(memory),
    terms: termsOf(indexedText(memory)),
    ...(embedded === undefined ? {} : { vector: embedded.vector }),
  };
}

function embeddingOf(embedder: Embedder | undefined, embedded: EmbeddedText | undefined): MemoryEmbedding {
  if (embedder === undefined) {
    return { state: "DISABLED", provider: "", model: "", dimension: 0, truncated: false };
  }
  return {
    ...embedder.identity,
    state: embedded === undefined ? "PENDING" : "READY",
    truncated: embedded?.truncated ?? false,
  };
}
