import { setTimeout as sleep } from "node:timers/promises";
import { type ServiceError, status } from "@grpc/grpc-js";
import { CacheService } from "#gen/recollect/v1/cache_pb.js";
import { MemoryService } from "#gen/recollect/v1/memory_pb.js";
import type { Caller } from "./caller.ts";
import { type CachedQuestion, type memoryBatches, storeRequests } from "./data.ts";

const BATCHES_AT_ONCE = 2;
const STORES_AT_ONCE = 32;
/** A server on a busy machine refuses what it cannot do in time. */
const PAUSE_MS = 500;
const MAX_TRIES = 60;

/** Stores the batches through the API; throws unless every memory was stored as a new one. */
export async function fillMemories(caller: Caller, batches: ReturnType<typeof memoryBatches>): Promise<void> {
  await inParallel(batches, BATCHES_AT_ONCE, async (batch) => {
    const { results } = await patiently(() => caller.call(MemoryService.method.batchCreateMemories, batch));
    const refused = results.find(({ outcome, duplicate }) => outcome.case !== "memory" || duplicate);
    if (refused !== undefined)
      throw new Error(`a memory was not stored: ${JSON.stringify(refused.outcome.value)}`);
  });
}

/** Stores an entry for each question; throws when one replaced another. */
export function fillCache(caller: Caller, questions: readonly CachedQuestion[]): Promise<void> {
  return fillEntries(caller, storeRequests(questions));
}

/** The same with requests that are made already. */
export async function fillEntries(caller: Caller, requests: ReturnType<typeof storeRequests>): Promise<void> {
  await inParallel(requests, STORES_AT_ONCE, async (request) => {
    const { replaced } = await patiently(() => caller.call(CacheService.method.storeCacheEntry, request));
    if (replaced) throw new Error("two questions of the benchmark are the same");
  });
}

/** Repeats a call that the server refuses because it is overloaded: it has done nothing then. */
async function patiently<T>(call: () => Promise<T>): Promise<T> {
  for (let tried = 1; ; tried += 1) {
    try {
      return await call();
    } catch (error) {
      const isRefused = (error as Partial<ServiceError>).code === status.RESOURCE_EXHAUSTED;
      if (!isRefused || tried === MAX_TRIES) throw error;
    }
    await sleep(PAUSE_MS);
  }
}

async function inParallel<T>(
  items: Iterable<T>,
  width: number,
  work: (item: T) => Promise<void>,
): Promise<void> {
  const iterator = items[Symbol.iterator]();
  const worker = async (): Promise<void> => {
    for (let next = iterator.next(); next.done !== true; next = iterator.next()) await work(next.value);
  };
  await Promise.all(Array.from({ length: width }, worker));
}
