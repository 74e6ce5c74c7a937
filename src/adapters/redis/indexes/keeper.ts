import { setTimeout } from "node:timers/promises";
import type { OperatorLog } from "../../../ports/log.ts";
import type { RedisClient } from "../connection/client.ts";
import type { Keys, PartitionKeys } from "../namespaces/keys.ts";
import {
  type IndexNames,
  openIndex,
  type VectorIndexOptions,
  wantedIndexes,
  wantedVector,
} from "./schema.ts";
import type { VectorModel } from "./vector-model.ts";

/** A start waits for its indexes no longer: one over many documents fills while searches do without it. */
const OPENING_MS = 2000;

/** After a failure a partition is left alone for so long, at first and at most. */
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
 * Sees to it that each partition has its indexes. One can go at any time: a slot that moves to another server of a
 * cluster takes its documents along and not their index, and an operator may drop it. A search that finds none reports
 * it; it is made again in the background, and gets its name only when it is whole, so that no search reads a part of
 * it.
 */
export class IndexKeeper implements AsyncDisposable {
  readonly #parts: IndexKeeperParts;
  readonly #closing = new AbortController();
  readonly #making = new Map<number, Promise<void>>();
  readonly #failures = new Map<number, number>();

  constructor(parts: IndexKeeperParts) {
    this.#parts = parts;
    // An old index may be there that lacks the vectors of the current model; searches would not fail.
    parts.client.onMoved(() => {
      for (const partition of parts.keys.all()) this.#check(partition);
    });
  }

  /**
   * Makes the indexes that are not there, and verifies those that are. Rejects with STORE_UNAVAILABLE when one is another
   * than is wanted, and says what differs. Another process may do the same at the same time.
   */
  async open(): Promise<void> {
    const opening = Promise.all(this.#parts.keys.all().map((partition) => this.#make(partition)));
    const timer = new AbortController();
    const isOpen = await Promise.race([
      opening.then(() => true),
      setTimeout(OPENING_MS, false, { signal: timer.signal }),
    ]);
    timer.abort();
    if (isOpen) return;
    this.#parts.log.info(
      {},
      "indexes are being made; searches go through the documents until they are whole",
    );
    opening.catch((error: unknown) => this.#report(error));
  }

  /** Drops the failures so far: the store was replaced. */
  clearCache(): void {
    this.#failures.clear();
  }

  /** To be called when a search found no index in this partition. */
  missing(partition: PartitionKeys): void {
    if (this.#check(partition)) {
      this.#parts.log.warn({ partition: partition.number }, "an index was not there: it is made again");
    }
  }

  /** Leaves an index that is being made; another process goes on with it. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#closing.abort();
    await Promise.all(this.#making.values());
  }

  /**
   * Makes and verifies the indexes of a partition in the background; false while that is under way, or has just failed.
   */
  #check(partition: PartitionKeys): boolean {
    const { number } = partition;
    if (this.#making.has(number) || this.#closing.signal.aborted) return false;
    this.#making.set(number, this.#makeInBackground(partition));
    return true;
  }

  async #makeInBackground(partition: PartitionKeys): Promise<void> {
    const { number } = partition;
    const { signal } = this.#closing;
    try {
      await this.#make(partition);
      this.#failures.delete(number);
    } catch (error) {
      this.#report(error);
      const failures = this.#failures.get(number) ?? 0;
      this.#failures.set(number, failures + 1);
      await paused(Math.min(FIRST_PAUSE_MS * 2 ** failures, MAX_PAUSE_MS), signal);
    } finally {
      this.#making.delete(number);
    }
  }

  async #make(partition: PartitionKeys): Promise<void> {
    const { client, keys, names, vectors, model } = this.#parts;
    const vector = wantedVector(model, vectors);
    const wanted = wantedIndexes(names, keys, partition, vector);
    await Promise.all(wanted.map((one) => openIndex(client, one, this.#closing.signal)));
  }

  #report(error: unknown): void {
    if (!this.#closing.signal.aborted) this.#parts.log.warn({ err: error }, "an index could not be made");
  }
}

/** Ends early when the signal aborts. */
async function paused(milliseconds: number, signal: AbortSignal): Promise<void> {
  await setTimeout(milliseconds, undefined, { signal, ref: false }).catch(() => undefined);
}
