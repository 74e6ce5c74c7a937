import type { Log } from "../../../ports/log.ts";
import type { CacheInvalidations } from "../database/cache-invalidations.ts";
import type { Database } from "../database/database.ts";
import { inSteps } from "../database/delete-steps.ts";
import type { EntryScores } from "./entry-scores.ts";

export interface CacheReclaimerParts {
  readonly database: Database;
  readonly invalidations: CacheInvalidations;
  readonly scores: EntryScores;
  readonly log: Log;
}

/**
 * Deletes invalidated entries in the background, in transactions of bounded size, of one namespace after the other. What is
 * left when the process ends, the next start deletes.
 */
export class CacheReclaimer implements Disposable {
  readonly #database: Database;
  readonly #invalidations: CacheInvalidations;
  readonly #scores: EntryScores;
  readonly #log: Log;
  readonly #requested = new Set<number>();
  #isRunning = false;
  #isClosed = false;

  constructor({ database, invalidations, scores, log }: CacheReclaimerParts) {
    this.#database = database;
    this.#invalidations = invalidations;
    this.#scores = scores;
    this.#log = log;
  }

  /** Call after an invalidation is on disk. */
  start(namespaceId: number): void {
    this.#requested.add(namespaceId);
    if (!this.#isRunning) void this.#run();
  }

  /** Starts with what an earlier process left. */
  resume(): void {
    if (this.#isClosed) return;
    for (const { namespaceId, state } of this.#invalidations.all()) {
      if (state.swept < state.last) this.start(namespaceId);
    }
  }

  [Symbol.dispose](): void {
    this.#isClosed = true;
  }

  /** Never rejects. */
  async #run(): Promise<void> {
    this.#isRunning = true;
    for (const namespaceId of this.#requested) {
      this.#requested.delete(namespaceId);
      try {
        await this.#reclaim(namespaceId);
      } catch (error) {
        if (!this.#isClosed)
          this.#log.warn({ err: error }, "invalidated cache entries could not be deleted yet");
      }
    }
    this.#isRunning = false;
  }

  /** One pass after the other, until no invalidation came during the last one. */
  async #reclaim(namespaceId: number): Promise<void> {
    let { last: target, swept } = this.#invalidations.state(namespaceId);
    while (swept < target && !this.#isClosed) {
      let after: number | undefined = 0;
      await inSteps(async ({ rows }) => {
        if (this.#isClosed) return true;
        after = await this.#database.write(
          () => ({
            result: this.#invalidations.passStep(namespaceId, target, {
              after: after ?? 0,
              limit: rows,
              remove: (row) => this.#scores.deleteRemembering("invalidated", "SELECT ?", row),
            }),
          }),
          { deletes: true, durable: false },
        );
        return after === undefined;
      });
      if (!this.#isClosed) ({ last: target, swept } = this.#invalidations.state(namespaceId));
    }
  }
}
