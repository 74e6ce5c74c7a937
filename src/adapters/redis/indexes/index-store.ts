import { randomBytes } from "node:crypto";
import { NEVER } from "../../../domain/embedding/due-time.ts";
import { indexRebuildRunning } from "../../../domain/errors.ts";
import type { IndexInfo, IndexStore, RebuildProgress } from "../../../ports/index-store.ts";
import { sleep } from "../../system/sleep.ts";
import type { RedisClient } from "../connection/client.ts";
import { unavailable } from "../connection/errors.ts";
import { numberOf } from "../connection/replies.ts";
import { defineScript } from "../connection/script.ts";
import type { Keys, PartitionKeys } from "../namespaces/keys.ts";
import {
  createIndex,
  dropIndex,
  type Index,
  type IndexNames,
  listIndexes,
  pointAlias,
  readIndex,
  type VectorIndexOptions,
  type Wanted,
  wantedIndexes,
  wantedVector,
} from "./schema.ts";
import type { VectorModel } from "./vector-model.ts";

const LOCK = defineScript({
  file: new URL("./lock.lua", import.meta.url),
  effect: "writes",
  keys: ["lock"],
  arguments: ["token", "milliseconds"],
  reply: (reply) => reply === 1,
});
const UNLOCK = defineScript({
  file: new URL("./unlock.lua", import.meta.url),
  effect: "frees",
  keys: ["lock"],
  arguments: ["token"],
  reply: () => undefined,
});

/** A rebuild renews its lock within this; the lock of a process that is killed expires after it. */
const LOCK_MS = 30_000;

/** Pause between polls of a new index: each poll blocks Redis' one thread for up to 65 ms at 100,000 vectors. */
const FIRST_PAUSE_MS = 20;
const MAX_PAUSE_MS = 1000;

export interface RedisIndexStoreParts {
  readonly client: RedisClient;
  readonly keys: Keys;
  readonly model: VectorModel;
  readonly names: IndexNames;
  readonly vectors: VectorIndexOptions;
}

/**
 * The search indexes of RediSearch. A rebuild creates a new index beside the old one, which serves until the new one is
 * complete; then the alias is pointed to it. Documents are never changed: DROPINDEX runs without DD.
 */
export class RedisIndexStore implements IndexStore, AsyncDisposable {
  readonly #parts: RedisIndexStoreParts;
  /** The lock of the rebuild in progress, or of an abandoned one. */
  #heldLock: AsyncDisposable | undefined;

  constructor(parts: RedisIndexStoreParts) {
    this.#parts = parts;
  }

  /** Releases the lock, so that another process may rebuild at once. An incomplete index stays. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.#heldLock?.[Symbol.asyncDispose]();
  }

  async info(): Promise<readonly IndexInfo[]> {
    const { client, keys } = this.#parts;
    const infos: IndexInfo[] = [];
    for (const partition of keys.all()) {
      const refused = numberOf(await client.command("ZCOUNT", partition.pending, NEVER, "+inf"));
      const pending = numberOf(await client.command("ZCARD", partition.pendingSince));
      for (const wanted of this.#wanted(partition)) {
        const index = await readIndex(client, wanted.alias);
        if (index === undefined) continue;
        const isOfMemories = wanted.content === "MEMORIES";
        infos.push(
          this.#infoOf(wanted, index, isOfMemories ? { refused, pending } : { refused: 0, pending: 0 }),
        );
      }
    }
    return infos.toSorted((a, b) => b.content.localeCompare(a.content));
  }

  async *rebuild(signal: AbortSignal): AsyncGenerator<RebuildProgress> {
    signal.throwIfAborted();
    const { client, keys } = this.#parts;
    await using lock = await this.#lock();
    const all = keys.all().flatMap((partition) => this.#wanted(partition));
    for (const wanted of all) await this.#dropUnfinished(wanted);
    const counts = new Map<Wanted, number>();
    for (const wanted of all) counts.set(wanted, (await readIndex(client, wanted.alias))?.documents ?? 0);
    const total = (): number => [...counts.values()].reduce((sum, count) => sum + count, 0);
    let done = 0;
    yield { indexedCount: 0, totalCount: total() };
    for (const wanted of all) {
      const name = await createIndex(client, wanted);
      try {
        let progress = 0;
        for await (const index of this.#polled(name, signal)) {
          await lock.renew();
          counts.set(wanted, Math.max(index.documents, progress));
          progress = Math.max(progress, Math.floor(index.documents * index.indexedFraction));
          yield { indexedCount: done + Math.min(progress, index.documents), totalCount: total() };
          signal.throwIfAborted();
        }
        const old = (await readIndex(client, wanted.alias))?.name;
        await pointAlias(client, wanted.alias, name);
        if (old !== undefined && old !== name) await dropIndex(client, old);
      } catch (error) {
        await this.#dropUnfinished(wanted);
        throw error;
      }
      done += counts.get(wanted) ?? 0;
    }
    yield { indexedCount: done, totalCount: done };
  }

  #wanted(partition: PartitionKeys): readonly Wanted[] {
    const { keys, model, names, vectors } = this.#parts;
    return wantedIndexes(names, keys, partition, wantedVector(model, vectors));
  }

  #infoOf(
    { alias, content }: Wanted,
    index: Index,
    { refused, pending }: { readonly refused: number; readonly pending: number },
  ): IndexInfo {
    const { model, vectors } = this.#parts;
    const missing = index.documents === 0 ? 0 : Math.min(1, pending / index.documents);
    return {
      name: alias,
      content,
      documentCount: index.documents,
      failureCount: index.failures + refused,
      memoryBytes: index.memoryBytes,
      indexedFraction: Math.max(0, index.indexedFraction - missing),
      algorithm: model.identity === undefined ? "" : vectors.algorithm,
      dimension: model.identity?.dimension ?? 0,
    };
  }

  /** Polls the index until it is complete, and yields each state. */
  async *#polled(name: string, signal: AbortSignal): AsyncGenerator<Index> {
    let pause = FIRST_PAUSE_MS;
    let index = await this.#readIndex(name);
    yield index;
    while (index.isIndexing) {
      await sleep(pause, signal);
      pause = Math.min(pause * 2, MAX_PAUSE_MS);
      index = await this.#readIndex(name);
      yield index;
    }
  }

  /** Rejects with STORE_UNAVAILABLE when it was dropped, or the whole store was replaced. */
  async #readIndex(name: string): Promise<Index> {
    const index = await readIndex(this.#parts.client, name);
    if (index === undefined) throw unavailable(`the index ${name} was dropped during the rebuild`);
    return index;
  }

  /** Drops the indexes of abandoned rebuilds. */
  async #dropUnfinished({ alias }: Wanted): Promise<void> {
    const { client } = this.#parts;
    const serving = (await readIndex(client, alias))?.name;
    for (const name of await listIndexes(client, alias)) {
      if (name !== serving) await dropIndex(client, name);
    }
  }

  /** Excludes other rebuilds, in any process. Rejects with INDEX_REBUILD_RUNNING. */
  async #lock(): Promise<AsyncDisposable & { renew(): Promise<void> }> {
    const { client, keys } = this.#parts;
    const { rebuildLock } = keys.partition(0);
    const token = randomBytes(8).toString("hex");
    const take = async (): Promise<void> => {
      if (await client.run(LOCK, { lock: rebuildLock, token, milliseconds: LOCK_MS })) return;
      throw indexRebuildRunning();
    };
    await take();
    const lock = {
      renew: take,
      [Symbol.asyncDispose]: async () => {
        this.#heldLock = undefined;
        await client.run(UNLOCK, { lock: rebuildLock, token });
      },
    };
    this.#heldLock = lock;
    return lock;
  }
}
