import type { NamespaceKey } from "../../../domain/access/tenancy.ts";
import type { AccessStatistics, StoredMemory } from "../../../domain/memory/memory.ts";
import { NEIGHBOR_REACH } from "../../../domain/memory/neighbors.ts";
import type { ListPosition, NeighborOptions } from "../../../ports/memory/reader.ts";
import type { Reply } from "../connection/client.ts";
import { listOf, numberOf, textOf } from "../connection/replies.ts";
import { list, rows } from "../connection/script.ts";
import { withCurrentModel } from "../indexes/model-retry.ts";
import type { VectorModel } from "../indexes/vector-model.ts";
import type { Namespaces } from "../namespaces/namespace-ids.ts";
import { defineNamespaceScript, orModelChanged } from "../namespaces/namespace-script.ts";
import type { MemoryAccesses } from "./access-counts.ts";
import { type CachedMemory, createMemoryCache } from "./memory-cache.ts";
import { MEMORY, type MemoryRow, memoryKeys, ROW, readRow, storedMemory } from "./rows.ts";
import { tokenOf } from "./tokens.ts";

const READ = defineNamespaceScript({
  file: new URL("./read-memories.lua", import.meta.url),
  libraries: [ROW],
  effect: "reads",
  arguments: [rows("memories", ["id", "etag"])],
  reply: (reply) => listOf(listOf(reply)[1]),
});
const NEIGHBORS = defineNamespaceScript({
  file: new URL("./read-neighbors.lua", import.meta.url),
  libraries: [ROW],
  effect: "reads",
  keys: ["sessionPrefix"],
  arguments: [
    ...(["now", "asOf", "hasActive", "count", "reach", "maxBytes"] as const),
    ...[list("ids"), list("states"), list("required")],
  ],
  reply: (reply) => {
    const [, found, lists] = listOf(reply);
    return { rows: listOf(found), lists: listOf(lists).map((one) => listOf(one).map(numberOf)) };
  },
});
const WALK = defineNamespaceScript({
  file: new URL("./walk-memories.lua", import.meta.url),
  libraries: [MEMORY, ROW],
  effect: "reads",
  arguments: ["first", "afterTime", "afterId", "maxRows", "maxBytes", "generation", list("fields")],
  reply: orModelChanged((reply) => {
    const [, page, time, id] = listOf(reply);
    const last = textOf(id);
    return {
      rows: listOf(page),
      last: last === undefined ? undefined : { createTime: numberOf(time), id: last },
    };
  }),
});

/** Memories that one script reads, and stored bytes of records after which it stops, as it blocks Redis. */
export const MAX_STEP = 200;
const MAX_STEP_BYTES = 1024 * 1024;

/** A memory as read, including pending access counts. */
export interface ReadMemory {
  readonly memory: StoredMemory;
  /** That its record takes when it is not compressed. */
  readonly bytes: number;
  /** The additional requested fields. */
  readonly fields: readonly Reply[];
}

export interface WalkOptions {
  readonly oldestFirst: boolean;
  /** The position after which the pages begin; absent: from the beginning. */
  readonly after?: ListPosition | undefined;
  /** Memories a page. Default and maximum: MAX_STEP. */
  readonly step?: number;
  /** Additional fields to read, by generation of the model when they depend on it. */
  readonly fields?: (generation: number) => readonly string[];
}

/** Reads memories by id, or all of them page by page, each page in one script. */
export class MemoryPages {
  readonly #namespaces: Namespaces;
  readonly #model: VectorModel;
  readonly #accesses: MemoryAccesses;
  readonly #cache = createMemoryCache();

  constructor(namespaces: Namespaces, model: VectorModel, accesses: MemoryAccesses) {
    this.#namespaces = namespaces;
    this.#model = model;
    this.#accesses = accesses;
  }

  /** Clears the cached memories. */
  clear(): void {
    this.#cache.clear();
  }

  /** Reads memories by id, in order, in any state, expired or not; undefined for a missing one. */
  async read(scope: NamespaceKey, ids: readonly string[]): Promise<(ReadMemory | undefined)[]> {
    const steps = Array.from({ length: Math.ceil(ids.length / MAX_STEP) }, (_, step) =>
      this.#readStep(scope, ids.slice(step * MAX_STEP, (step + 1) * MAX_STEP)),
    );
    return (await Promise.all(steps)).flat();
  }

  /** All memories of a namespace in order of (createTime, id), in any state, expired ones included. */
  async *walk(scope: NamespaceKey, options: WalkOptions): AsyncGenerator<readonly ReadMemory[]> {
    let after = options.after;
    do {
      const page = await this.#page(scope, { ...options, after });
      yield page.memories;
      after = page.last;
    } while (after !== undefined);
  }

  /** See MemoryReader. */
  async neighbors(
    scope: NamespaceKey,
    ids: readonly string[],
    { filter, count, maxBytes, now }: NeighborOptions,
  ): Promise<StoredMemory[][]> {
    await this.#accesses.written();
    let accesses = this.#accesses.current(scope);
    const { states, userId, agentId, asOf = "" } = filter;
    const found = await this.#namespaces.run(scope, {
      script: NEIGHBORS,
      input: (namespace) => {
        accesses = this.#accesses.current(scope);
        const token = (type: "state" | "user" | "agent", value: string): string =>
          tokenOf(namespace.namespaceId, type, value);
        return {
          memoryPrefix: namespace.memory(""),
          accessCounts: namespace.accessCounts,
          lastAccesses: namespace.lastAccesses,
          sessionPrefix: namespace.session(""),
          ...{ now, asOf, count, maxBytes, ids, reach: NEIGHBOR_REACH },
          hasActive: states.includes("ACTIVE") ? 1 : 0,
          states: states.map((state) => token("state", state)),
          required: [
            ...(userId === undefined ? [] : [token("user", userId)]),
            ...(agentId === undefined ? [] : [token("agent", agentId)]),
          ],
        };
      },
    });
    if (found === undefined) return ids.map(() => []);
    const memories = found.rows.map((reply) => {
      const row = readRow(reply, this.#model.identity);
      return row && readMemory(row, accesses).memory;
    });
    return found.lists.map((places) => places.flatMap((place) => memories[place - 1] ?? []));
  }

  async #readStep(scope: NamespaceKey, ids: readonly string[]): Promise<(ReadMemory | undefined)[]> {
    await this.#accesses.written();
    let accesses = this.#accesses.current(scope);
    let cachedRows: { readonly key: string; readonly cached: CachedMemory | undefined }[] = [];
    const found = await this.#namespaces.run(scope, {
      script: READ,
      input: (namespace) => {
        accesses = this.#accesses.current(scope);
        cachedRows = ids.map((id) => {
          const key = namespace.memory(id);
          return { key, cached: this.#cache.get(key) };
        });
        return {
          memoryPrefix: namespace.memory(""),
          accessCounts: namespace.accessCounts,
          lastAccesses: namespace.lastAccesses,
          memories: ids.map((id, at) => ({ id, etag: cachedRows[at]?.cached?.memory.etag ?? "" })),
        };
      },
    });
    if (found === undefined) return ids.map(() => undefined);
    return cachedRows.map(({ key, cached }, at) => {
      const row = readRow(found[at], this.#model.identity, cached);
      if (row === undefined) this.#cache.delete(key);
      else if (row.cached !== cached) this.#cache.set(key, row.cached);
      return row && readMemory(row, accesses);
    });
  }

  async #page(
    scope: NamespaceKey,
    { oldestFirst, after, step = MAX_STEP, fields }: WalkOptions,
  ): Promise<{ readonly memories: readonly ReadMemory[]; readonly last: ListPosition | undefined }> {
    let accesses: ReturnType<MemoryAccesses["current"]>;
    const page = await withCurrentModel(this.#model, async () => {
      await this.#accesses.written();
      return this.#namespaces.run(scope, {
        script: WALK,
        input: (namespace) => {
          accesses = this.#accesses.current(scope);
          const { generation } = this.#model;
          return {
            ...memoryKeys(namespace),
            first: oldestFirst ? "OLDEST" : "NEWEST",
            afterTime: after?.createTime ?? "",
            afterId: after?.id ?? "",
            maxRows: Math.max(1, Math.min(step, MAX_STEP)),
            maxBytes: MAX_STEP_BYTES,
            generation: fields === undefined ? "" : generation,
            fields: fields?.(generation) ?? [],
          };
        },
      });
    });
    if (page === undefined) return { memories: [], last: undefined };
    const memories = page.rows.flatMap((reply) => {
      const row = readRow(reply, this.#model.identity);
      return row === undefined ? [] : [readMemory(row, accesses)];
    });
    return { memories, last: page.last };
  }
}

function readMemory(row: MemoryRow, accesses: ReadonlyMap<string, AccessStatistics> | undefined): ReadMemory {
  return { memory: storedMemory(row, accesses?.get(row.id)), bytes: row.cached.bytes, fields: row.fields };
}
