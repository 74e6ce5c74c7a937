import { type NamespaceKey, namespaceKeyOf } from "../../domain/access/tenancy.ts";
import {
  changesLost,
  type FeedPosition,
  type MemoryChange,
  openFeedToken,
  positionAfter,
  sealFeedToken,
} from "../../domain/memory/changes.ts";
import type { StoredMemory } from "../../domain/memory/memory.ts";
import { canonicalJson } from "../../lib/json.ts";
import type { Clock } from "../../ports/clock.ts";
import type { ChangeFeed } from "../../ports/memory/changes.ts";
import type { MemoryReader } from "../../ports/memory/reader.ts";
import type { Sleep } from "../../ports/sleep.ts";
import type { WorkQueue } from "../../ports/work-queue.ts";
import type { CallContext } from "../call.ts";

/** Changes read from the store at a time, some 100 bytes each. */
const PAGE_CHANGES = 200;

/** Memories read for them at a time: the most that a stalled client occupies in the server, at most 64 KiB of text each. */
const PAGE_MEMORIES = 16;

/** After so long without changes a token is sent alone, so that both sides notice a broken connection. */
const SILENCE_MS = 30_000;

export interface WatchMemoriesPorts {
  readonly memories: { readonly reader: Pick<MemoryReader, "get">; readonly changes: ChangeFeed };
  readonly clock: Clock;
  readonly sleep: Sleep;
  readonly work: WorkQueue;
}

export interface WatchedChange {
  readonly change: MemoryChange;
  /** As it is now; undefined: it does not exist now. */
  readonly memory: StoredMemory | undefined;
}

export interface WatchEvent {
  /** Undefined: a resume token alone. */
  readonly changed?: WatchedChange;
  readonly resumeToken: string;
}

/**
 * The changes of a namespace after a resume token, or from now on, each with the token that resumes after it; without an end.
 * The first event is a token alone. Reads on demand. Rejects with PAGE_TOKEN_INVALID or CHANGES_LOST, and as the store does
 * when it is unavailable: the last token stays good.
 */
export async function* watchMemories(
  ports: WatchMemoriesPorts,
  input: {
    readonly namespace: string;
    /** Empty: from now on. */
    readonly resumeToken: string;
  },
  context: CallContext,
): AsyncGenerator<WatchEvent> {
  const namespaceKey = namespaceKeyOf(context.caller, input.namespace);
  const feed = canonicalJson(["watch", namespaceKey.tenant, namespaceKey.namespace]);
  const watch = new Watch(ports, namespaceKey, context);
  const tokenOf = (position: FeedPosition): string => sealFeedToken(position, feed);
  let position = input.resumeToken === "" ? await watch.end() : openFeedToken(input.resumeToken, feed);
  let page = await watch.read(position);
  yield { resumeToken: tokenOf(position) };
  while (!context.signal.aborted) {
    for (let at = 0; at < page.changes.length; at += PAGE_MEMORIES) {
      const changes = page.changes.slice(at, at + PAGE_MEMORIES);
      const memories = await watch.memoriesOf(changes);
      for (const change of changes) {
        const resumeToken = tokenOf(positionAfter(page.position.incarnation, change));
        yield { changed: { change, memory: memories.get(change.memoryId) }, resumeToken };
      }
    }
    position = page.position;
    page = await watch.readOrSilence(position);
    if (page.changes.length === 0) yield { resumeToken: tokenOf(page.position) };
  }
  context.signal.throwIfAborted();
}

interface Page {
  readonly changes: readonly MemoryChange[];
  readonly position: FeedPosition;
}

/** The reads of one watch, each of which waits in the work queue. */
class Watch {
  readonly #ports: WatchMemoriesPorts;
  readonly #namespaceKey: NamespaceKey;
  readonly #context: CallContext;

  constructor(ports: WatchMemoriesPorts, namespaceKey: NamespaceKey, context: CallContext) {
    this.#ports = ports;
    this.#namespaceKey = namespaceKey;
    this.#context = context;
  }

  end(): Promise<FeedPosition> {
    return this.#queued(() => this.#ports.memories.changes.end(this.#namespaceKey));
  }

  /** Rejects with CHANGES_LOST. */
  async read(after: FeedPosition): Promise<Page> {
    const read = await this.#queued(() =>
      this.#ports.memories.changes.read(this.#namespaceKey, after, PAGE_CHANGES),
    );
    if (read.kind === "lost") throw changesLost(read.cause);
    return read;
  }

  /** The next changes as soon as there are any; none after some time without. */
  async readOrSilence(after: FeedPosition): Promise<Page> {
    const { changes } = this.#ports.memories;
    const done = new AbortController();
    const signal = AbortSignal.any([this.#context.signal, done.signal]);
    let isSilent = false;
    const silence = this.#ports
      .sleep(SILENCE_MS, signal)
      // It rejects when the signal aborts, which ends the wait too.
      .catch(() => undefined)
      .then(() => {
        isSilent = true;
      });
    try {
      let page = await this.read(after);
      while (page.changes.length === 0 && !isSilent) {
        await Promise.race([changes.wait(this.#namespaceKey, page.position, signal), silence]);
        page = await this.read(page.position);
      }
      return page;
    } finally {
      done.abort();
    }
  }

  /** By id. */
  async memoriesOf(changes: readonly MemoryChange[]): Promise<ReadonlyMap<string, StoredMemory>> {
    const ids = [...new Set(changes.map(({ memoryId }) => memoryId))];
    const found = await this.#queued(() =>
      this.#ports.memories.reader.get(this.#namespaceKey, ids, this.#ports.clock.now()),
    );
    return new Map(found.flatMap((memory) => (memory === undefined ? [] : [[memory.id, memory]])));
  }

  #queued<T>(task: () => Promise<T>): Promise<T> {
    const { signal, deadline } = this.#context;
    signal.throwIfAborted();
    const { tenant } = this.#namespaceKey;
    return this.#ports.work.run({ tenant, kind: "READ", deadline }, signal, task);
  }
}
