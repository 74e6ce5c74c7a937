import { isRefusal } from "../../domain/embedding/refusal.ts";
import type { MemoryDraft } from "../../domain/memory/draft.ts";
import {
  duplicateKey,
  etagOf,
  indexedText,
  type Memory,
  type MemoryEmbedding,
  normalisedText,
  textKey,
} from "../../domain/memory/memory.ts";
import { termsOf } from "../../domain/text/terms.ts";
import type { Embedder } from "../../ports/embedding/embedder.ts";
import type { Replacement } from "../../ports/memory/writer.ts";
import type { WriteEmbedding } from "../embedding/embed-for-write.ts";

/** The fields of a memory that are not in a draft. */
export interface MemoryOrigin {
  readonly id: string;
  readonly createTime: number;
  readonly updateTime: number;
  readonly state: Memory["state"];
  readonly supersededBy: string;
}

/** A memory to be written, with its etag and the input of the indexes. */
export function prepareMemory(
  draft: MemoryDraft,
  origin: MemoryOrigin,
  embedder: Embedder | undefined,
  embedding: WriteEmbedding,
): Replacement {
  const { ttlMs, expireTime: draftExpireTime, ...fields } = draft;
  const expireTime = ttlMs === undefined ? draftExpireTime : origin.updateTime + ttlMs;
  const content = { ...fields, ...(expireTime === undefined ? {} : { expireTime }), ...origin };
  const memory: Memory = {
    ...content,
    sessionPosition: 0,
    etag: etagOf(content),
    embedding: embeddingOf(embedder, embedding),
  };
  const text = normalisedText(memory.text);
  return {
    memory,
    duplicateKey: duplicateKey(memory, text),
    textKey: textKey(memory, text),
    terms: termsOf(indexedText(memory)),
    ...(typeof embedding === "string" || isRefusal(embedding) ? {} : { vector: embedding.vector }),
  };
}

function embeddingOf(embedder: Embedder | undefined, embedding: WriteEmbedding): MemoryEmbedding {
  if (embedder === undefined || embedding === "DISABLED") {
    return { state: "DISABLED", provider: "", model: "", dimension: 0, truncated: false };
  }
  if (embedding === "PENDING") return { ...embedder.identity, state: embedding, truncated: false };
  return isRefusal(embedding)
    ? { ...embedder.identity, state: "REFUSED", truncated: false, refusal: embedding.refusal }
    : { ...(embedding.identity ?? embedder.identity), state: "READY", truncated: embedding.truncated };
}
