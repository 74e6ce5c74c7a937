import { sameModel } from "../../../domain/embedding/identity.ts";
import { isRefusal } from "../../../domain/embedding/refusal.ts";
import { vectorToBytes } from "../../../domain/embedding/vector.ts";
import type { EmbedderIdentity } from "../../../ports/embedding/embedder.ts";
import type {
  EmbeddingQueue,
  MemoryVersion,
  PendingMemory,
  PendingQuery,
  SettledMemory,
} from "../../../ports/embedding/queue.ts";
import type { Log } from "../../../ports/log.ts";
import type { Argument, RedisClient } from "../connection/client.ts";
import { listOf, numberOf, textOf } from "../connection/replies.ts";
import { defineScript, list, rows } from "../connection/script.ts";
import { jsonOf } from "../indexes/claim-model.ts";
import type { ReembeddingRecord, ReembeddingRecords } from "../indexes/reembedding-record.ts";
import { vectorField } from "../indexes/schema.ts";
import type { PartitionKeys } from "../namespaces/keys.ts";
import type { Namespaces } from "../namespaces/namespace-ids.ts";
import { locate, readPending } from "./pending-memory.ts";

const SETTLE = defineScript({
  file: new URL("./settle-reembedding.lua", import.meta.url),
  effect: "writes",
  keys: ["meta", "namespaces", "reembeddingTodo", "reembeddingNotes", list("memoryKeys")],
  arguments: ["model", "field", rows("memories", ["namespaceName", "member", "etag", "note", "vector"])],
  reply: numberOf,
});

export interface ReembeddingWorkParts {
  readonly client: RedisClient;
  readonly namespaces: Namespaces;
  readonly records: ReembeddingRecords;
  /** Lists all memories that had a vector at the start, if no process has completed that yet. */
  readonly prepare: (record: ReembeddingRecord) => Promise<void>;
  readonly log: Log;
}

/**
 * The memories that have no vector of the new model yet. Scripts that write a vector of the old model meanwhile add the
 * memory, so that none is missed.
 */
export class ReembeddingWork implements EmbeddingQueue {
  readonly #parts: ReembeddingWorkParts;

  constructor(parts: ReembeddingWorkParts) {
    this.#parts = parts;
  }

  async pending(query: PendingQuery): Promise<PendingMemory[]> {
    const { limit, maxBytes, now } = query;
    const record = await this.#running();
    if (record === undefined) return [];
    await this.#parts.prepare(record);
    let skip = query.skip;
    const found: PendingMemory[] = [];
    let bytes = 0;
    for (const partition of this.#parts.namespaces.keys.all()) {
      const passed = skip === 0 ? 0 : Math.min(skip, await this.#count(partition));
      skip -= passed;
      let at = passed;
      let members: string[];
      do {
        members = await this.#members(partition, at, limit - found.length);
        const read = await readPending(this.#parts, partition, members, now);
        const useless = members.filter((_, index) => read[index] === undefined);
        if (useless.length > 0)
          await this.#parts.client.command("ZREM", partition.reembeddingTodo, ...useless);
        for (const one of read) {
          if (one === undefined) continue;
          at += 1;
          found.push(one.memory);
          bytes += one.bytes;
          if (found.length === limit || bytes >= maxBytes) return found;
        }
      } while (members.length > 0);
    }
    return found;
  }

  async settle(
    items: readonly SettledMemory[],
    { identity }: { readonly identity: EmbedderIdentity; readonly now: number },
  ): Promise<number> {
    const record = await this.#running();
    if (record === undefined || !sameModel(record.target, identity)) return 0;
    return this.#note(
      record,
      items.map((item) => {
        const { outcome } = item;
        if (isRefusal(outcome)) return { item, note: `REFUSED ${outcome.refusal}`, vector: "" };
        return {
          item,
          note: outcome.truncated ? "TRUNCATED" : "WHOLE",
          vector: Buffer.from(vectorToBytes(outcome.vector)),
        };
      }),
    );
  }

  /** Leaves memories out of the re-embedding: they are pending after the cut-over. */
  async postpone(items: readonly (MemoryVersion & { readonly dueTime: number })[]): Promise<void> {
    const record = await this.#running();
    if (record === undefined) return;
    await this.#note(
      record,
      items.map((item) => ({ item, note: "LATE", vector: "" })),
    );
  }

  async remaining(): Promise<number> {
    const counts = await Promise.all(this.#parts.namespaces.keys.all().map((keys) => this.#count(keys)));
    return counts.reduce((sum, count) => sum + count, 0);
  }

  async #running(): Promise<ReembeddingRecord | undefined> {
    const record = await this.#parts.records.read();
    return record?.state === "RUNNING" ? record : undefined;
  }

  async #members(partition: PartitionKeys, skip: number, limit: number): Promise<string[]> {
    const reply = await this.#parts.client.command(
      "ZRANGE",
      partition.reembeddingTodo,
      "-",
      "+",
      "BYLEX",
      "LIMIT",
      skip,
      limit,
    );
    return listOf(reply).map((member) => textOf(member) ?? "");
  }

  async #count({ reembeddingTodo }: PartitionKeys): Promise<number> {
    return numberOf(await this.#parts.client.command("ZCARD", reembeddingTodo));
  }

  async #note(
    { target, generation }: ReembeddingRecord,
    notes: readonly { readonly item: MemoryVersion; readonly note: string; readonly vector: Argument }[],
  ): Promise<number> {
    const { client, namespaces } = this.#parts;
    const { keys } = namespaces;
    let settled = 0;
    for (const [number, group] of Map.groupBy(notes, ({ item }) => keys.partitionOf(item.scope))) {
      const partition = keys.partition(number);
      const there = await locate(namespaces, group, ({ item }) => item);
      const { meta, reembeddingTodo, reembeddingNotes } = partition;
      settled += await client.run(SETTLE, {
        ...{ meta, namespaces: partition.namespaces, reembeddingTodo, reembeddingNotes },
        memoryKeys: there.map(({ key }) => key),
        model: jsonOf(target),
        field: vectorField(generation),
        memories: there.map(({ item: { item, note, vector }, name, member }) => ({
          ...{ namespaceName: name, member, etag: item.etag, note, vector },
        })),
      });
    }
    return settled;
  }
}
