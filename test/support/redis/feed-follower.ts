import { setTimeout } from "node:timers/promises";
import type { NamespaceKey } from "../../../src/domain/access/tenancy.ts";
import { RecollectError } from "../../../src/domain/errors.ts";
import type { FeedPosition, LossCause } from "../../../src/domain/memory/changes.ts";
import type { Memories } from "../../../src/ports/memory/memories.ts";

/** Follows the change feed of a namespace until it is stopped. */
export interface FeedFollower {
  /** Resolves when it has all changes that the feed has then. */
  stop(): Promise<{
    /** Ids of the created memories, in the order of the feed. */
    readonly created: readonly string[];
    /** Gaps in the sequence, and errors other than STORE_UNAVAILABLE. */
    readonly wrong: readonly string[];
    /** Why its position was lost, each time; it began anew then. */
    readonly losses: readonly LossCause[];
  }>;
}

const PAUSE_MS = 10;
const BEGINNING: FeedPosition = { incarnation: "", sequence: 0, digest: "" };

export function startFeedFollower({ changes }: Pick<Memories, "changes">, scope: NamespaceKey): FeedFollower {
  let created: string[] = [];
  const wrong: string[] = [];
  const losses: LossCause[] = [];
  let position = BEGINNING;
  const stopped = new AbortController();

  const step = async (): Promise<void> => {
    const read = await changes.read(scope, position, 100);
    if (read.kind === "lost") {
      losses.push(read.cause);
      [created, position] = [[], BEGINNING];
      return;
    }
    for (const [at, { sequence, memoryId, kind }] of read.changes.entries()) {
      if (sequence !== position.sequence + at + 1) wrong.push(`${sequence} at ${position.sequence} + ${at}`);
      if (kind === "CREATED") created.push(memoryId);
    }
    position = read.position;
    if (read.changes.length === 0) await changes.wait(scope, position, stopped.signal);
  };
  const follow = async (isDone: () => Promise<boolean>): Promise<void> => {
    for (let done = false; !done; ) {
      try {
        done = await isDone();
        if (!done) await step();
      } catch (error) {
        if (!(error instanceof RecollectError && error.reason === "STORE_UNAVAILABLE")) {
          wrong.push(String(error));
          return;
        }
        await setTimeout(PAUSE_MS);
      }
    }
  };
  const following = follow(async () => stopped.signal.aborted);
  return {
    stop: async () => {
      stopped.abort();
      await following;
      await follow(async () => (await changes.end(scope)).digest === position.digest);
      return { created, wrong, losses };
    },
  };
}
