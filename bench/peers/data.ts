import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { create } from "@bufbuild/protobuf";
import { BatchCreateMemoriesRequestSchema } from "#gen/recollect/v1/memory_pb.js";
import { createHashingEmbedder } from "../../src/adapters/hashing/embedder.ts";
import { BATCH_SIZE, cachedQuestions, memoryBatches, searchTexts, storeRequests } from "../data.ts";
import { FUNCTION_WORDS } from "../vocabulary.ts";

/** Dimension of all vectors. */
export const DIMENSION = 384;
/** Users whose memories are stored; each search asks for those of one. */
const USERS = 10;
/** Different searches, made round robin. */
const QUERIES = 500;
/** Some 2 KB. */
const ANSWER_WORDS = 300;

/** How much is stored before the measurements, and how much by them. */
export interface Amounts {
  readonly filled: number;
  readonly storedAnswers: number;
  readonly createdMemories: number;
  readonly createdBatches: number;
}

export type PeersData = ReturnType<typeof makeData>;

/** The texts, users, metadata and answers that the service and the peers store and ask for. The same in every run. */
export function makeData({ filled, storedAnswers, createdMemories, createdBatches }: Amounts) {
  const count = filled + createdMemories + createdBatches * BATCH_SIZE;
  const batches = memoryBatches(Math.ceil(count / BATCH_SIZE) * BATCH_SIZE);
  const all = batches
    .flatMap(({ memories }) => memories)
    .map(({ text, metadata }, at) => ({ text, userId: `user-${at % USERS}`, metadata: metadata ?? {} }));
  const added = all.slice(filled + createdBatches * BATCH_SIZE, count);
  // One user a batch, as mem0's call has.
  const extra = Array.from({ length: createdBatches }, (_, at) =>
    all
      .slice(filled + at * BATCH_SIZE, filled + (at + 1) * BATCH_SIZE)
      .map((one) => ({ ...one, userId: `user-${at % USERS}` })),
  );
  const stored = batchesOf(all.slice(0, filled));
  const questions = cachedQuestions(filled + storedAnswers);
  const requests = storeRequests(questions, ANSWER_WORDS);
  const entries = questions.map((question, at) => ({ ...question, answer: requests[at]?.response ?? "" }));
  return {
    memories: {
      filled: all.slice(0, filled),
      added,
      batches: extra,
      // mem0 sends a query of nothing but stop words as one that Redis refuses.
      queries: searchTexts(stored, QUERIES)
        .filter((text) => text.split(" ").some((word) => !FUNCTION_WORDS.includes(word)))
        .map((text, at) => ({ text, userId: `user-${at % USERS}` })),
    },
    entries: { filled: entries.slice(0, filled), added: entries.slice(filled) },
    requests: { filled: requests.slice(0, filled), added: requests.slice(filled), memories: stored },
  };
}

/**
 * Writes what the peers read: the data, and the vector of each text as the service's embedder makes it. Resolves with
 * the lowest cosine similarity of a stored question to its other wording: with it as the threshold each is found.
 */
export async function writeData(folder: string, { memories, entries }: PeersData): Promise<number> {
  const texts = [
    ...new Set([
      ...[...memories.filled, ...memories.added, ...memories.batches.flat(), ...memories.queries].map(
        ({ text }) => text,
      ),
      ...[...entries.filled, ...entries.added].flatMap(({ stored, reworded }) => [stored, reworded]),
    ]),
  ];
  const embedded = await createHashingEmbedder(DIMENSION).embed(texts, new AbortController().signal);
  mkdirSync(folder, { recursive: true });
  const write = (name: string, value: unknown): void =>
    writeFileSync(join(folder, name), JSON.stringify(value));
  write("memories.json", memories);
  write("entries.json", entries);
  write("vector-texts.json", texts);
  writeFileSync(
    join(folder, "vectors.f32"),
    Buffer.concat(
      embedded.map(({ vector }) => Buffer.from(vector.buffer, vector.byteOffset, vector.byteLength)),
    ),
  );
  const vectors = new Map(texts.map((text, at) => [text, embedded[at]?.vector]));
  return Math.min(
    ...entries.filled.map(({ stored, reworded }) => dot(vectors.get(stored), vectors.get(reworded))),
  );
}

/** Cosine similarity of vectors of unit length. */
function dot(a: Float32Array | undefined, b: Float32Array | undefined): number {
  if (a === undefined || b === undefined) throw new TypeError("a text has no vector");
  return a.reduce((sum, value, at) => sum + value * (b[at] ?? 0), 0);
}

/** Requests that store memories a hundred at a time. */
export function batchesOf(
  memories: readonly { readonly text: string; readonly userId: string; readonly metadata: object }[],
) {
  return Array.from({ length: Math.ceil(memories.length / BATCH_SIZE) }, (_, at) =>
    create(BatchCreateMemoriesRequestSchema, {
      memories: memories.slice(at * BATCH_SIZE, (at + 1) * BATCH_SIZE).map(({ text, userId, metadata }) => ({
        text,
        userId,
        metadata: metadata as Record<string, string | number>,
      })),
    }),
  );
}
