import { create, type MessageInitShape } from "@bufbuild/protobuf";
import { StoreCacheEntryRequestSchema } from "#gen/recollect/v1/cache_pb.js";
import { BatchCreateMemoriesRequestSchema, type MemorySchema } from "#gen/recollect/v1/memory_pb.js";
import { integer, pick, type Random, randomOf } from "./random.ts";
import { word } from "./vocabulary.ts";

type Batch = ReturnType<typeof create<typeof BatchCreateMemoriesRequestSchema>>;
type StoreRequest = ReturnType<typeof create<typeof StoreCacheEntryRequestSchema>>;

/** Memories in one BatchCreateMemories. */
export const BATCH_SIZE = 100;
/** Used for all stores and lookups, so that all cache entries are in one scope. */
export const SCOPE = { model: "bench-model", systemPrompt: "Answer briefly and name your sources." };

const MIN_WORDS = 8;
const MAX_WORDS = 60;
const ANSWER_WORDS = 120;
const USERS = 200;
const TAGS = Array.from({ length: 40 }, (_, index) => `topic-${index + 1}`);
const DAY_SECONDS = 86_400n;

/** Each generator has its own seed: more memories do not change the questions. */
const SEED = { memories: 11, extra: 12, cache: 13, queries: 14 } as const;

/** Batches that together hold `count` memories, all of them different. */
export function memoryBatches(count: number): Batch[] {
  return batchesOf(count, randomOf(SEED.memories), "m");
}

/** New batches for measuring BatchCreateMemories; always the same ones. */
export function extraBatches(batches: number): Batch[] {
  return batchesOf(batches * BATCH_SIZE, randomOf(SEED.extra), "x");
}

/**
 * Search queries: some words of a stored memory among words of everyday frequency, so that both retrievers have
 * matches.
 */
export function searchTexts(batches: readonly Batch[], count: number): string[] {
  const random = randomOf(SEED.queries);
  return Array.from({ length: count }, () => {
    const { text } = pick(random, pick(random, batches).memories);
    const words = text.split(" ");
    const remembered = Array.from({ length: 4 }, () => pick(random, words));
    return [...remembered, word(random), word(random)].join(" ");
  });
}

/** A stored question and a paraphrase. */
export interface CachedQuestion {
  readonly stored: string;
  readonly reworded: string;
}

const VERBS =
  "configure replace disable inspect restart upgrade validate schedule encrypt rename migrate archive".split(
    " ",
  );
const ADJECTIVES =
  "primary secondary shared hidden remote nightly public internal default custom temporary signed".split(" ");
const NOUNS =
  "certificate pipeline password schema queue dashboard index token snapshot gateway webhook template ledger volume".split(
    " ",
  );
const OWNERS =
  "customer tenant cluster team project account database branch warehouse region vendor supplier building device".split(
    " ",
  );
const PLACES =
  "billing payroll inventory marketing logistics research support training security finance".split(" ");

/** Different questions of one form, in random order. At most 282,240. */
export function cachedQuestions(count: number): CachedQuestion[] {
  const random = randomOf(SEED.cache);
  const topics = new Set<string>();
  while (topics.size < count) {
    const thing = `${pick(random, ADJECTIVES)} ${pick(random, NOUNS)}`;
    topics.add(`${pick(random, VERBS)} the ${thing} of a ${pick(random, OWNERS)} in ${pick(random, PLACES)}`);
  }
  return [...topics].map((topic) => ({
    stored: `How do I ${topic}?`,
    reworded: `Could you please tell me how to ${topic}?`,
  }));
}

/** Requests that store the questions in the cache, with responses of some 700 bytes unless another length is wanted. */
export function storeRequests(
  questions: readonly CachedQuestion[],
  answerWords: number = ANSWER_WORDS,
): StoreRequest[] {
  const random = randomOf(SEED.cache);
  return questions.map(({ stored }) =>
    create(StoreCacheEntryRequestSchema, {
      prompt: { prompt: { case: "text", value: stored } },
      origin: { case: "scope", value: SCOPE },
      response: sentence(random, answerWords),
      // The run may take longer than the default of an hour.
      ttl: { seconds: DAY_SECONDS },
      tags: [pick(random, TAGS)],
    }),
  );
}

function batchesOf(count: number, random: Random, prefix: string): Batch[] {
  const seen = new Set<string>();
  const memories: MessageInitShape<typeof MemorySchema>[] = [];
  while (memories.length < count) {
    const text = sentence(random, integer(random, MIN_WORDS, MAX_WORDS));
    if (seen.has(text)) continue;
    seen.add(text);
    memories.push({
      id: `${prefix}-${memories.length + 1}`,
      text,
      userId: `user-${integer(random, 1, USERS)}`,
      tags: [...new Set([pick(random, TAGS), pick(random, TAGS)])],
      importance: integer(random, 0, 10) / 10,
      metadata: { source: pick(random, OWNERS), line: integer(random, 1, 5000) },
    });
  }
  const batches: Batch[] = [];
  for (let start = 0; start < count; start += BATCH_SIZE) {
    batches.push(
      create(BatchCreateMemoriesRequestSchema, { memories: memories.slice(start, start + BATCH_SIZE) }),
    );
  }
  return batches;
}

function sentence(random: Random, words: number): string {
  return Array.from({ length: words }, () => word(random)).join(" ");
}
