import { digest } from "../../lib/digest.ts";
import { RecollectError } from "../errors.ts";
import type { CacheEntry } from "./entry.ts";

/** Which entries an invalidation is about: those that meet every condition that is given; without any, all. */
export interface InvalidationFilter {
  readonly model?: string;
  /** See knowledgeDigest. */
  readonly knowledge?: string;
  /** Entries with any of these tags; not empty. */
  readonly tagsAny?: readonly string[];
}

/** Bytes of knowledgeDigest. */
export const KNOWLEDGE_BYTES = 16;

/**
 * Identifies a knowledge version: hexadecimal, KNOWLEDGE_BYTES long; empty for none. Entries and decision tokens contain it
 * in place of the version, which may take 512 bytes.
 */
export function knowledgeDigest(knowledgeVersion: string): string {
  return knowledgeVersion === "" ? "" : digest("knowledge", knowledgeVersion).slice(0, 2 * KNOWLEDGE_BYTES);
}

export function matchesInvalidation(
  entry: Pick<CacheEntry, "model" | "knowledge" | "tags">,
  { model, knowledge, tagsAny }: InvalidationFilter,
): boolean {
  return (
    (model === undefined || model === entry.model) &&
    (knowledge === undefined || knowledge === entry.knowledge) &&
    (tagsAny === undefined || tagsAny.some((tag) => entry.tags.includes(tag)))
  );
}

/**
 * The generation of a namespace after an invalidation: the time in milliseconds, and always more than before. It rises over
 * a deletion of the namespace too, so that a decision made before is older than what is invalidated after it.
 */
export function nextGeneration(before: number, now: number): number {
  return Math.max(before + 1, now);
}

/**
 * Invalidations that a namespace remembers one by one, each a set of conditions with one tag at most. One more makes all of
 * them one invalidation of the whole namespace.
 */
export const MAX_INVALIDATIONS = 10_000;

/** For an answer that was generated before an invalidation that matches it. */
export function cacheInvalidated(namespace: string): RecollectError {
  return new RecollectError(
    "CACHE_INVALIDATED",
    "the cache was invalidated after this decision: the answer may be outdated and is not stored; look it up again",
    { metadata: { namespace } },
  );
}
