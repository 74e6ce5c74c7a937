import { analyzePrompt } from "../../src/domain/cache/analysis.ts";
import type { CacheEntry } from "../../src/domain/cache/entry.ts";
import { toUnit } from "../../src/domain/embedding/vector.ts";
import {
  DEFAULT_IMPORTANCE,
  defaultOnDuplicate,
  duplicateKey,
  etagOf,
  indexedText,
  type Memory,
  textKey,
} from "../../src/domain/memory/memory.ts";
import { termsOf } from "../../src/domain/text/terms.ts";
import { digest } from "../../src/lib/digest.ts";
import type { IdempotentRequest } from "../../src/ports/idempotency.ts";
import type { NewMemory } from "../../src/ports/memory/writer.ts";

/** Current time of all tests: 2026-01-01, in milliseconds since the epoch. */
export const NOW = Date.UTC(2026, 0, 1);

/** A day, in milliseconds. */
export const DAY = 24 * 3600 * 1000;

/** An active fact without vector; another id gives another text, so that memories are no accidental duplicates. */
export function memory(given: Partial<Memory> = {}): Memory {
  const id = given.id ?? "m1";
  const content = {
    id,
    text: `fact ${id}`,
    kind: "SEMANTIC" as const,
    userId: "",
    agentId: "",
    sessionId: "",
    sessionPosition: 0,
    role: "",
    author: "",
    tags: [],
    metadata: {},
    importance: DEFAULT_IMPORTANCE,
    pinned: false,
    createTime: NOW,
    updateTime: NOW,
    state: "ACTIVE" as const,
    supersededBy: "",
    sourceIds: [],
    embedding: { state: "PENDING" as const, provider: "", model: "", dimension: 0, truncated: false },
    ...given,
  };
  return { ...content, etag: given.etag ?? etagOf(content) };
}

/** A memory to be written, with the terms and the duplicate key of its text. */
export function newMemory(
  given: Partial<Memory> = {},
  write: Partial<Omit<NewMemory, "memory">> = {},
): NewMemory {
  const made = memory(given);
  return {
    memory: made,
    duplicateKey: duplicateKey(made),
    textKey: textKey(made),
    onDuplicate: defaultOnDuplicate(made.kind),
    terms: termsOf(indexedText(made)),
    ...write,
  };
}

/** A cache entry with a TTL of a day; another id gives another prompt. */
export function cacheEntry(given: Partial<CacheEntry> = {}): CacheEntry {
  const id = given.id ?? "e1";
  const prompt = given.prompt ?? `What is ${id}?`;
  return {
    id,
    fingerprint: "f1",
    model: "a-model",
    knowledge: "",
    prompt,
    analysis: analyzePrompt(prompt),
    response: `the answer to ${id}`,
    tags: [],
    metadata: {},
    createTime: NOW,
    expireTime: NOW + DAY,
    etag: digest(id, prompt).slice(0, 32),
    ...given,
  };
}

/** An idempotent request whose record expires after a day. */
export function idempotentRequest(given: Partial<IdempotentRequest> = {}): IdempotentRequest {
  return { key: digest("request"), bodyHash: digest("body"), expireTime: NOW + DAY, ...given };
}

/** Numbers in [0, 1), determined by the seed (mulberry32). */
export function seededRandom(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** A vector of unit length, determined by the seed; two seeds give different directions. */
export function unitVector(seed: number, dimension: number): Float32Array {
  const random = seededRandom(seed);
  const unit = toUnit(Float32Array.from({ length: dimension }, () => 2 * random() - 1));
  if (unit === undefined) throw new RangeError(`no direction in ${dimension} dimensions`);
  return unit;
}
