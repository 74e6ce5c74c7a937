import type { Client } from "@connectrpc/connect";
import {
  WatchMemoriesResponse_Change as Change,
  type MemoryService,
  type WatchMemoriesResponse,
} from "#gen/recollect/v1/memory_pb.js";

/** How often a mirror saves its state: what came since is lost when it is killed. */
const SAVED_EVERY = 7;

interface Saved {
  readonly token: string;
  readonly memories: ReadonlyMap<string, string>;
}

/** A copy of a namespace that follows its watch. It can be killed, and then continues from what it has saved. */
export class Mirror {
  /** Every change that ever arrived, by its sequence: `CREATED m1`. */
  readonly changes = new Map<number, string>();
  /** What should not have arrived. */
  readonly wrong: string[] = [];
  /** Text of each memory, by id. */
  memories = new Map<string, string>();
  /** Changes that arrived again, and those that it had not saved when it was killed. */
  repeated = 0;
  lost = 0;
  #token = "";
  #last: number | undefined;
  #saved: Saved | undefined;
  #unsaved = 0;
  #abort = new AbortController();

  /** Follows until `isDone`, or rejects as the watch does. After `kill` it has the state that was saved. */
  async follow(client: Client<typeof MemoryService>, isDone: () => boolean): Promise<void> {
    const abort = new AbortController();
    this.#abort = abort;
    const options = { signal: abort.signal, timeoutMs: 0 };
    for await (const response of client.watchMemories({ resumeToken: this.#token }, options)) {
      // Killed while this response was on its way.
      if (abort.signal.aborted) return;
      this.#apply(response);
      if (isDone()) return;
    }
  }

  /** Loses all that was not saved. */
  kill(): void {
    this.#abort.abort();
    this.#token = this.#saved?.token ?? this.#token;
    this.memories = new Map(this.#saved?.memories ?? this.memories);
    this.#last = undefined;
    this.lost += this.#unsaved;
    this.#unsaved = 0;
  }

  #apply({ change, memory, resumeToken }: WatchMemoriesResponse): void {
    this.#token = resumeToken;
    const sequence = sequenceOf(resumeToken);
    if (change === Change.UNSPECIFIED) {
      if (this.#last !== undefined && this.#last !== sequence)
        this.wrong.push(`${sequence} follows ${this.#last} without a change`);
      this.#last = sequence;
      this.#saved ??= { token: resumeToken, memories: new Map() };
      return;
    }
    const id = memory?.id ?? "";
    if (this.#last !== undefined && sequence !== this.#last + 1)
      this.wrong.push(`${sequence} follows ${this.#last}`);
    this.#last = sequence;
    const shown = `${Change[change]} ${id}`;
    const before = this.changes.get(sequence);
    if (before !== undefined) this.repeated += 1;
    if (before !== undefined && before !== shown) this.wrong.push(`${sequence}: ${before}, then ${shown}`);
    this.changes.set(sequence, shown);
    if (memory?.createTime === undefined) this.memories.delete(id);
    else this.memories.set(id, memory.text);
    this.#unsaved += 1;
    if (this.#unsaved < SAVED_EVERY) return;
    this.#unsaved = 0;
    this.#saved = { token: resumeToken, memories: new Map(this.memories) };
  }
}

/** The sequence that a token contains: see sealFeedToken. */
function sequenceOf(token: string): number {
  const [, , sequence] = JSON.parse(Buffer.from(token, "base64url").toString()) as unknown[];
  return Number(sequence);
}
