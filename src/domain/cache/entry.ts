import type { JsonObject } from "../../lib/json.ts";
import type { PromptAnalysis } from "./analysis.ts";
import type { EntryFeedback } from "./feedback.ts";

/** The cost of generating an answer; absent numbers are 0. */
export interface CacheUsage {
  readonly promptTokens: number;
  readonly completionTokens: number;
  readonly generationMs: number;
  readonly costUsd: number;
}

/** A stored answer. Times are milliseconds since the epoch. */
export interface CacheEntry {
  /** See cacheEntryId. */
  readonly id: string;
  /** See scopeFingerprint. */
  readonly fingerprint: string;
  readonly model: string;
  /** See knowledgeDigest. */
  readonly knowledge: string;
  readonly prompt: string;
  /** The analysis of `prompt`, computed once, when the entry is stored. */
  readonly analysis: PromptAnalysis;
  readonly response: string;
  readonly tags: readonly string[];
  readonly metadata: JsonObject;
  readonly usage?: CacheUsage;
  readonly createTime: number;
  readonly expireTime: number;
  /** From then on one caller refreshes it, and others are served it; absent: it is served until it expires. */
  readonly dueTime?: number;
  /** See confidenceAfter; absent: 1. */
  readonly confidence?: number;
  readonly etag: string;
  /** Absent: no report has changed it since it was stored. */
  readonly feedback?: EntryFeedback;
}

/**
 * The size of an entry in bytes: the UTF-8 of prompt, response, tags and metadata as JSON, and 4 for each number of its
 * vector. The overhead of the store is not included.
 */
export function entryBytes(
  entry: Pick<CacheEntry, "prompt" | "response" | "tags" | "metadata">,
  vectorLength: number,
): number {
  const texts = [entry.prompt, entry.response, ...entry.tags, JSON.stringify(entry.metadata)];
  return texts.reduce((sum, text) => sum + Buffer.byteLength(text), 4 * vectorLength);
}
