import type { Scope } from "../../../domain/access/tenancy.ts";
import type { AccessStatistics, StoredMemory } from "../../../domain/memory/memory.ts";
import type { ListPosition } from "../../../ports/memory/reader.ts";
import type { Reply } from "../connection/client.ts";
import { MODEL_TRIES, modelIsChanging } from "../connection/errors.ts";
import { listOf, numberOf, textOf } from "../connection/replies.ts";
import { readScript } from "../connection/script.ts";
import type { VectorModel } from "../indexes/vector-model.ts";
import type { Namespaces } from "../namespaces/namespace-ids.ts";
import type { MemoryAccesses } from "./access-counts.ts";
import { type KnownMemory, knownMemories } from "./memory-cache.ts";
import { type MemoryRow, memoryKeys, readRow, storedMemory } from "./rows.ts";

const READ = readScript(new URL("./read-memories.lua", import.meta.url), {
  libraries: ["namespace", "read-memory"],
  effect: "reads",
});
const WALK = readScript(new URL("./walk-memories.lua", import.meta.url), {
  libraries: ["namespace", "memory", "read-memory"],
  effect: "reads",
});

/** Memories that one script reads, and bytes of records, as stored, after which it stops: it holds up Redis. */
export const MAX_STEP = 200;
const MAX_STEP_BYTES = 1024 * 1024;

/** A memory as it is read, with what was counted and is not stored yet. */
export interface ReadMemory {
  readonly memory: StoredMemory;
  /** That its record takes when it is not compressed. */
  readonly bytes: number;
  /** What was asked for besides. */
  readonly fields: readonly Reply[];
}

export interface WalkOptions {
  readonly oldestFirst: boolean;
  /** From behind here on; absent: from the beginning. */
  readonly after?: ListPosition | undefined;
  /** Memories a page, MAX_STEP unless said, and never more. */
  readonly step?: number;
  /** More fields to be read, by generation of the model when they depend on it. */
  readonly fields?: (generation: number) => readonly string[];
}

/** Reads memories, some by id or all of them page by page, each page in one script. */
export class MemoryPages {
  readonly #namespaces: Namespaces;
  readonly #model: VectorModel;
  readonly #accesses: MemoryAccesses;
  readonly #known = knownMemories();

  constructor(namespaces: Namespaces, model: VectorModel, accesses: MemoryAccesses) {
    this.#namespaces = namespaces;
    this.#model = model;
    this.#accesses = accesses;
  }

  /** Forgets what was read before. */
  forgetAll(): void {
    this.#known.forgetAll();
  }

  /** Those with these ids, in their order, in any state, also ended; undefined where there is none. */
  async read(scope: Scope, ids: readonly string[]): Promise<(ReadMemory | undefined)[]> {
    const steps = Array.from({ length: Math.ceil(ids.length / MAX_STEP) }, (_, step) =>
      this.#readStep(scope, ids.slice(step * MAX_STEP, (step + 1) * MAX_STEP)),
    );
    return (await Promise.all(steps)).flat();
  }

  /** All memories of a namespace in order of (createTime, id), in any state, also ended. */
  async *walk(scope: Scope, options: WalkOptions): AsyncGenerator<readonly ReadMemory[]> {
    let after = options.after;
    do {
      const page = await this.#page(scope, { ...options, after });
      yield page.memories;
      after = page.last;
    } while (after !== undefined);
  }

  async #readStep(scope: Scope, ids: readonly string[]): Promise<(ReadMemory | undefined)[]> {
    await this.#accesses.written();
    let accesses = this.#accesses.current(scope);
    let asked: { readonly key: string; readonly held: KnownMemory | undefined }[] = [];
    const reply = await this.#namespaces.run(scope, {
      script: READ,
      keys: (namespace) => [namespace.memory(""), namespace.accessCounts, namespace.lastAccesses],
      args: (namespace) => {
        accesses = this.#accesses.current(scope);
        asked = ids.map((id) => {
          const key = namespace.memory(id);
          return { key, held: this.#known.get(key) };
        });
        return ids.flatMap((id, at) => [id, asked[at]?.held?.memory.etag ?? ""]);
      },
    });
    if (reply === undefined) return ids.map(() => undefined);
    const rows = listOf(listOf(reply)[1]);
    return asked.map(({ key, held }, at) => {
      const row = readRow(rows[at], this.#model.identity, held);
      if (row === undefined) this.#known.forget(key);
      else if (row.known !== held) this.#known.keep(key, row.known);
      return row && readMemory(row, accesses);
    });
  }

  async #page(
    scope: Scope,
    { oldestFirst, after, step = MAX_STEP, fields }: WalkOptions,
  ): Promise<{ readonly memories: readonly ReadMemory[]; readonly last?: ListPosition }> {
    for (let tries = 0; tries < MODEL_TRIES; tries += 1) {
      await this.#accesses.written();
      let accesses = this.#accesses.current(scope);
      const reply = await this.#namespaces.run(scope, {
        script: WALK,
        keys: memoryKeys,
        args: () => {
          accesses = this.#accesses.current(scope);
          const { generation } = this.#model;
          return [
            oldestFirst ? "OLDEST" : "NEWEST",
            after?.createTime ?? "",
            after?.id ?? "",
            Math.max(1, Math.min(step, MAX_STEP)),
            MAX_STEP_BYTES,
            fields === undefined ? "" : generation,
            ...(fields?.(generation) ?? []),
          ];
        },
      });
      if (reply === undefined) return { memories: [] };
      const [word, rows, time, id] = listOf(reply);
      if (textOf(word) === "MODEL") {
        await this.#model.refresh();
        continue;
      }
      const memories = listOf(rows).flatMap((reply) => {
        const row = readRow(reply, this.#model.identity);
        return row === undefined ? [] : [readMemory(row, accesses)];
      });
      const last = textOf(id);
      return last === undefined ? { memories } : { memories, last: { createTime: numberOf(time), id: last } };
    }
    throw modelIsChanging();
  }
}

function readMemory(row: MemoryRow, accesses: ReadonlyMap<string, AccessStatistics> | undefined): ReadMemory {
  return { memory: storedMemory(row, accesses?.get(row.id)), bytes: row.known.bytes, fields: row.fields };
}
