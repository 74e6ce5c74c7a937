import type { NamespaceKey } from "../../../domain/access/tenancy.ts";
import type { Log } from "../../../ports/log.ts";
import { sleep } from "../../system/sleep.ts";
import type { RedisClient } from "../connection/client.ts";
import { listOf, textOf } from "../connection/replies.ts";
import { rows } from "../connection/script.ts";
import { hasHistoryFields, type IndexNames, indexNames, readIndex } from "../indexes/schema.ts";
import { namespaceKeyOf, type PartitionKeys } from "../namespaces/keys.ts";
import type { Namespaces } from "../namespaces/namespace-ids.ts";
import { defineNamespaceScript } from "../namespaces/namespace-script.ts";
import type { MemoryPages, ReadMemory } from "./pages.ts";
import { HISTORY_FIELDS, historyInput, MEMORY, memoryKeys } from "./rows.ts";

const ADD = defineNamespaceScript({
  file: new URL("./add-history-fields.lua", import.meta.url),
  libraries: [MEMORY],
  effect: "writes",
  arguments: [rows("memories", ["id", "etag", ...HISTORY_FIELDS])],
  reply: () => undefined,
});

/** First and longest pause between two looks at the index, and after a failure. */
const FIRST_PAUSE_MS = 20;
const MAX_PAUSE_MS = 10_000;

export interface HistoryFieldsParts {
  readonly client: RedisClient;
  readonly namespaces: Namespaces;
  readonly pages: MemoryPages;
  readonly indexes: IndexNames;
  readonly log: Log;
}

/**
 * The fields that `as_of` filters by. A store of format 1 lacks them: they are added in the background, to the memories
 * that need them (the index gets them by openIndex). Until a partition is ready, its index cannot answer `as_of`.
 */
export class HistoryFields implements AsyncDisposable {
  readonly #parts: HistoryFieldsParts;
  readonly #closing = new AbortController();
  readonly #ready = new Set<number>();
  readonly #running = new Map<number, Promise<void>>();
  /** Counts replacements of the store: what was prepared before does not count. */
  #epoch = 0;

  constructor(parts: HistoryFieldsParts) {
    this.#parts = parts;
  }

  /** Whether the index of this namespace can answer `as_of`. */
  isReady(scope: NamespaceKey): boolean {
    return this.#ready.has(this.#parts.namespaces.partition(scope).number);
  }

  /** Resolves when it is known which partitions are ready; the others become so in the background. */
  async open(): Promise<void> {
    await Promise.all(this.#parts.namespaces.keys.all().map((partition) => this.#open(partition)));
  }

  /** Forgets which partitions are ready: the store was replaced. */
  clear(): void {
    this.#epoch += 1;
    this.#ready.clear();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#closing.abort();
    await Promise.all(this.#running.values());
  }

  async #open(partition: PartitionKeys): Promise<void> {
    const { number } = partition;
    const isReady = await this.#isMarked(partition).catch(() => false);
    if (isReady) this.#ready.add(number);
    else if (!this.#running.has(number)) {
      const running = this.#prepareInBackground(partition).finally(() => this.#running.delete(number));
      this.#running.set(number, running);
    }
  }

  async #isMarked({ meta }: PartitionKeys): Promise<boolean> {
    return textOf(await this.#parts.client.command("HGET", meta, "history")) === "1";
  }

  /** Never rejects; retries after a failure. */
  async #prepareInBackground(partition: PartitionKeys): Promise<void> {
    const { signal } = this.#closing;
    for (let pause = FIRST_PAUSE_MS; !signal.aborted; pause = Math.min(2 * pause, MAX_PAUSE_MS)) {
      const epoch = this.#epoch;
      try {
        if (!(await this.#isMarked(partition))) await this.#prepare(partition);
        if (epoch === this.#epoch && !signal.aborted) {
          this.#ready.add(partition.number);
          return;
        }
      } catch (error) {
        if (signal.aborted) return;
        this.#parts.log.warn({ err: error }, "memories could not be prepared for as_of yet");
      }
      await sleep(pause, signal).catch(() => undefined);
    }
  }

  async #prepare(partition: PartitionKeys): Promise<void> {
    const { client, namespaces, pages } = this.#parts;
    const { signal } = this.#closing;
    const names = listOf(await client.command("HGETALL", partition.namespaces)).map(String);
    for (const [at, name] of names.entries()) {
      if (at % 2 === 1) continue;
      const scope = namespaceKeyOf(name);
      for await (const page of pages.walk(scope, { oldestFirst: true })) {
        signal.throwIfAborted();
        const memories = page.flatMap(fieldsOf);
        if (memories.length === 0) continue;
        const input = (namespace: Parameters<typeof memoryKeys>[0]) => ({
          ...memoryKeys(namespace),
          memories,
        });
        await namespaces.run(scope, { script: ADD, mayRetry: true, input });
      }
    }
    await this.#untilIndexed(partition);
    await client.command("HSET", partition.meta, "history", 1);
  }

  async #untilIndexed(partition: PartitionKeys): Promise<void> {
    const { client, namespaces, indexes } = this.#parts;
    const { memories: alias } = indexNames(indexes, namespaces.keys, partition);
    const isIndexed = async (): Promise<boolean> => {
      const index = await readIndex(client, alias);
      return index !== undefined && hasHistoryFields(index) && !index.isIndexing;
    };
    let pause = FIRST_PAUSE_MS;
    while (!(await isIndexed())) {
      await sleep(pause, this.#closing.signal);
      pause = Math.min(2 * pause, MAX_PAUSE_MS);
    }
  }
}

/** Most memories are ACTIVE and without validity, and need none of the fields. */
function fieldsOf({ memory }: ReadMemory) {
  const fields = historyInput(memory);
  const isNeeded = HISTORY_FIELDS.some((name) => fields[name] !== "");
  return isNeeded ? [{ id: memory.id, etag: memory.etag, ...fields }] : [];
}
