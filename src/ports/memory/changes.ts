import type { NamespaceKey } from "../../domain/access/tenancy.ts";
import type { FeedPosition, FeedRead } from "../../domain/memory/changes.ts";

/**
 * The change feed of each namespace; see Memories and docs/design/history.md. Every write of Memories that changes a memory
 * appends one change a memory to the feed of its namespace, in the order of writing and in the same atomic step; so does the
 * removal of expired memories, which may come any time after their expire time. Each write trims what is beyond the limits
 * of the store (FeedLimits), in bounded steps. The feed is deleted with its namespace.
 */
export interface ChangeFeed {
  /** The position behind the newest change. A namespace that does not exist has one too. */
  end(namespaceKey: NamespaceKey): Promise<FeedPosition>;

  /** At most `limit` changes after a position, oldest first; see changesAfter. Takes time in proportion to the limit. */
  read(namespaceKey: NamespaceKey, after: FeedPosition, limit: number): Promise<FeedRead>;

  /**
   * Resolves when `read` may give more than at this position: changes, or a loss; also for no reason, and soon when the
   * store has become unavailable. Resolves too when the signal aborts.
   */
  wait(namespaceKey: NamespaceKey, after: FeedPosition, signal: AbortSignal): Promise<void>;
}
