import { setTimeout } from "node:timers/promises";
import type { OperatorLog } from "../../../ports/log.ts";
import type { RedisClient } from "../connection/client.ts";
import type { Keys, PartitionKeys } from "../namespaces/keys.ts";
import {
  type IndexNames,
  openPartition,
  type VectorIndexOptions,
  wantedIndexes,
  wantedVector,
} from "./schema.ts";
import type { VectorModel } from "./vector-model.ts";

/** How long a start waits for its indexes; after that, large ones fill while searches scan the documents. */
const OPENING_MS = 2000;

/** First and longest pause after a failure in a partition. */
const FIRST_PAUSE_MS = 500;
const MAX_PAUSE_MS = 30_000;

export interface IndexKeeperParts {
  readonly client: RedisClient;
  readonly keys: Keys;
  readonly names: IndexNames;
  readonly vectors: VectorIndexOptions;
  readonly model: VectorModel;
  readonly log: OperatorLog;
}

/**
 * Creates missing indexes of each partition. An index can disappear at any time: a slot that moves to another server of a
 * cluster moves its documents without their index, and an operator may drop it. A search that finds no index reports it;
 * it is rebuilt in the background, and gets its alias only when it is complete, so that no search uses an incomplete
 * index.
 */
export class IndexKeeper implements AsyncDisposable {
  readonly #parts: IndexKeeperParts;
  readonly #closing = new AbortController();
  readonly #creating = new Map<number, Promise<void>>();
  readonly #failures = new Map<number, number>();

  constructor(parts: IndexKeeperParts) {
    this.#parts = parts;
    // The other server may have an old index without the vectors of the current model; searches would not fail.
    parts.client.onMoved(() => {
      for (const partition of parts.keys.all()) this.#check(partition);
    });
  }

  /**
   * Creates missing indexes, and verifies existing ones. Rejects with STORE_UNAVAILABLE and the difference when an index
   * is not as configured. Other processes may do the same concurrently.
   */
  async open(): Promise<void> {
    const opening = Promise.all(this.#parts.keys.all().map((partition) => this.#createIndexes(partition)));
    const timer = new AbortController();
    const isOpen = await Promise.race([
      opening.then(() => true),
      setTimeout(OPENING_MS, false, { signal: timer.signal }),
    ]);
    timer.abort();
    if (isOpen) return;
    this.#parts.log.info(
      {},
      "indexes are being created; searches scan the documents until they are complete",
    );
    opening.catch((error: unknown) => this.#report(error));
  }

  /** Resets the failure counts: the store was replaced. */
  clearCache(): void {
    this.#failures.clear();
  }

  /** Call when a search found no index in this partition. */
  missing(partition: PartitionKeys): void {
    if (this.#check(partition)) {
      this.#parts.log.warn({ partition: partition.number }, "an index is missing and is rebuilt");
    }
  }

  /** Stops waiting for an incomplete index, which Redis completes; another process gives it its alias. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#closing.abort();
    await Promise.all(this.#creating.values());
  }

  /**
   * Creates and verifies the indexes of a partition in the background; false while that is in progress, or has just
   * failed.
   */
  #check(partition: PartitionKeys): boolean {
    const { number } = partition;
    if (this.#creating.has(number) || this.#closing.signal.aborted) return false;
    this.#creating.set(number, this.#createInBackground(partition));
    return true;
  }

  async #createInBackground(partition: PartitionKeys): Promise<void> {
    const { number } = partition;
    const { signal } = this.#closing;
    try {
      await this.#createIndexes(partition);
      this.#failures.delete(number);
    } catch (error) {
      this.#report(error);
      const failures = this.#failures.get(number) ?? 0;
      this.#failures.set(number, failures + 1);
      await paused(Math.min(FIRST_PAUSE_MS * 2 ** failures, MAX_PAUSE_MS), signal);
    } finally {
      this.#creating.delete(number);
    }
  }

  async #createIndexes(partition: PartitionKeys): Promise<void> {
    const { client, keys, names, vectors, model } = this.#parts;
    const vector = wantedVector(model, vectors);
    const wanted = wantedIndexes(names, keys, partition, vector);
    await openPartition(client, partition, wanted, this.#closing.signal);
  }

  #report(error: unknown): void {
    if (!this.#closing.signal.aborted) this.#parts.log.warn({ err: error }, "an index could not be created");
  }
}

/** Resolves early when the signal aborts. */
async function paused(milliseconds: number, signal: AbortSignal): Promise<void> {
  await setTimeout(milliseconds, undefined, { signal, ref: false }).catch(() => undefined);
}
