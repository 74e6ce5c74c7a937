import type { NamespaceKey } from "../../../domain/access/tenancy.ts";
import type { Log } from "../../../ports/log.ts";
import type { RemovalMetrics } from "../../../ports/metrics.ts";
import { isText, listOf } from "../connection/replies.ts";
import { scopeName } from "../namespaces/keys.ts";
import type { Namespaces } from "../namespaces/namespace-ids.ts";
import { defineNamespaceScript } from "../namespaces/namespace-script.ts";
import { countRemoved, removedEntries } from "./removed-entries.ts";
import { CACHE, cacheInput, INVALIDATION } from "./script.ts";

const RECLAIM = defineNamespaceScript({
  file: new URL("./reclaim-cache-entries.lua", import.meta.url),
  libraries: [INVALIDATION, CACHE],
  effect: "frees",
  reply: (reply) => ({ hasMore: isText(listOf(reply)[0], "MORE"), removed: removedEntries(reply) }),
});

/**
 * Removes invalidated entries in the background, one bounded script after the other, of one namespace after the other. What
 * is left when the process ends, puts at the bound, stats and searches remove.
 */
export class CacheReclaimer implements AsyncDisposable {
  readonly #namespaces: Namespaces;
  readonly #log: Log;
  readonly #metrics: RemovalMetrics;
  /** By scopeName; in the order of the first request. */
  readonly #requested = new Map<string, { readonly scope: NamespaceKey; readonly now: number }>();
  #running: Promise<void> | undefined;
  #isClosed = false;

  constructor(
    namespaces: Namespaces,
    { log, metrics }: { readonly log: Log; readonly metrics: RemovalMetrics },
  ) {
    this.#namespaces = namespaces;
    this.#log = log;
    this.#metrics = metrics;
  }

  /** Call after an invalidation. */
  start(scope: NamespaceKey, now: number): void {
    this.#requested.set(scopeName(scope), { scope, now });
    this.#running ??= this.#run();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#isClosed = true;
    await this.#running;
  }

  /** Never rejects. */
  async #run(): Promise<void> {
    for (const [name, { scope, now }] of this.#requested) {
      this.#requested.delete(name);
      try {
        await this.#reclaim(scope, now);
      } catch (error) {
        if (!this.#isClosed)
          this.#log.warn({ err: error }, "invalidated cache entries could not be removed yet");
      }
    }
    this.#running = undefined;
  }

  async #reclaim(scope: NamespaceKey, now: number): Promise<void> {
    let hasMore = true;
    while (hasMore && !this.#isClosed) {
      const reply = await this.#namespaces.run(scope, {
        script: RECLAIM,
        input: (namespace) => cacheInput(namespace, now),
      });
      countRemoved(this.#metrics, reply?.removed);
      hasMore = reply?.hasMore ?? false;
    }
  }
}
