import { expect } from "vitest";
import { SearchMemoriesRequest_Mode as Mode } from "#gen/recollect/v1/memory_pb.js";
import { refusalOf } from "./errors.ts";
import type { TestApp } from "./start-app.ts";

/** Clients of one server. */
export type Clients = Pick<TestApp, "memory" | "cache" | "operations">;

/** Unrelated texts, so that each is the nearest to itself. */
export const textOf = (index: number): string =>
  `${(index * 104_729 + 7).toString(36)} ${(index * 15_485_863 + 3).toString(36)} number${index}`;
export const idOf = (index: number): string => `m${index}`;

const QUESTION = { prompt: { case: "text", value: "How do I cancel my order?" } } as const;
const SCOPE = { model: "m" };

/** Stores a number of memories, and one cache entry. */
export async function fill({ memory, cache }: Clients, count: number): Promise<void> {
  for (let first = 0; first < count; first += 100) {
    const memories = Array.from({ length: Math.min(100, count - first) }, (_, index) => ({
      id: idOf(first + index),
      text: textOf(first + index),
    }));
    await memory.batchCreateMemories({ memories });
  }
  await cache.storeCacheEntry({
    prompt: QUESTION,
    origin: { case: "scope", value: SCOPE },
    response: "Open Orders.",
  });
}

/** The nearest memory by vector search. Vectors of one model find the text itself; those of two models would not. */
export async function nearest(
  { memory }: Clients,
  index: number,
): Promise<readonly [string | undefined, number]> {
  const { results } = await memory.searchMemories({
    query: { by: { case: "text", value: textOf(index) } },
    mode: Mode.VECTOR,
    limit: 1,
  });
  return [results[0]?.memory?.id, Number((results[0]?.similarity ?? 0).toFixed(4))];
}

/** The progress of a writer, by memory number. */
export interface Writes {
  /** Number of the next memory to write. */
  next: number;
  /** Acknowledged memories. */
  readonly written: Set<number>;
  /** Memories with an acknowledged update. */
  readonly corrected: Set<number>;
}

export function startOfWrites(size: number): Writes {
  return {
    next: size,
    written: new Set(Array.from({ length: size }, (_, index) => index)),
    corrected: new Set(),
  };
}

/**
 * Reads and writes until `over`; resolves with how many reads were made. Every read must be right: it finds its own
 * text with similarity 1, which no comparison across models gives, and the cached answer. Rejects when one is wrong, or
 * a call fails.
 */
export async function load(
  app: Clients,
  size: number,
  writes: Writes,
  over: () => Promise<boolean>,
): Promise<number> {
  let done = false;
  let reads = 0;
  const reader = async (offset: number): Promise<void> => {
    for (let step = offset; !done; step += 7) {
      const index = step % size;
      expect(await nearest(app, index)).toEqual([idOf(index), 1]);
      const lookup = await app.cache.lookupCache({ prompt: QUESTION, scope: SCOPE });
      expect(lookup.outcome.case).toBe("hit");
      reads += 1;
    }
  };
  const writer = async (): Promise<void> => {
    while (!done) {
      const index = writes.next;
      writes.next += 1;
      await app.memory.createMemory({ memory: { id: idOf(index), text: textOf(index) } });
      writes.written.add(index);
      if (index % 5 === 0) {
        await app.memory.updateMemory({
          memory: { id: idOf(index), importance: 0.9 },
          updateMask: { paths: ["importance"] },
        });
        writes.corrected.add(index);
      }
    }
  };
  const watcher = async (): Promise<void> => {
    while (!(await over()));
  };
  const ending = async (one: Promise<void>): Promise<void> => {
    try {
      await one;
    } finally {
      done = true;
    }
  };
  const ends = await Promise.allSettled([reader(0), reader(1), writer(), watcher()].map(ending));
  for (const end of ends) if (end.status === "rejected") throw end.reason;
  return reads;
}

/** Resolves when no memory is pending. */
export async function drained({ operations }: Clients): Promise<void> {
  while ((await operations.getEmbeddingInfo({})).pendingCount > 0);
}

/** Starts a change to this model, after the cleanup of the previous change; resolves with its id. */
export async function startChange({ operations }: Clients, model: string): Promise<string> {
  for (;;) {
    const answer = operations.startReembedding({ model });
    try {
      return (await answer).reembedding?.id ?? "";
    } catch {
      expect(await refusalOf(answer)).toMatchObject({
        reason: "REEMBEDDING_CONFLICT",
        metadata: { cause: "cleaning_up" },
      });
    }
  }
}
