import { neverDue } from "../../../domain/embedding/due-time.ts";
import { startReembedding } from "../../../domain/embedding/start-reembedding.ts";
import type { MemoryEmbedding } from "../../../domain/memory/memory.ts";
import type { Listeners } from "../../../lib/listeners.ts";
import type { EmbedderIdentity } from "../../../ports/embedding/embedder.ts";
import type {
  Reembedding,
  ReembeddingStore,
  StartReembeddingOptions,
} from "../../../ports/embedding/reembedding-store.ts";
import type { Log } from "../../../ports/log.ts";
import type { RedisClient } from "../connection/client.ts";
import { unavailable } from "../connection/errors.ts";
import { isText, listOf, numberOf, textOf } from "../connection/replies.ts";
import { defineScript, list, rows } from "../connection/script.ts";
import { jsonOf } from "../indexes/claim-model.ts";
import { type ReembeddingRecord, ReembeddingRecords } from "../indexes/reembedding-record.ts";
import { addVectorField, type IndexNames, type VectorIndexOptions, vectorField } from "../indexes/schema.ts";
import type { VectorModel } from "../indexes/vector-model.ts";
import type { Keys, PartitionKeys } from "../namespaces/keys.ts";
import type { Namespaces } from "../namespaces/namespace-ids.ts";
import { keyOfMember } from "./pending-memory.ts";
import { ReembeddingWork } from "./reembedding-work.ts";

const LIST = defineScript({
  file: new URL("./list-reembedding.lua", import.meta.url),
  effect: "writes",
  keys: ["meta", "reembeddingTodo", list("memoryKeys")],
  arguments: ["currentField", "nextField", list("members")],
  reply: () => undefined,
});
const CUT_OVER = defineScript({
  file: new URL("./cut-over.lua", import.meta.url),
  effect: "writes",
  keys: [
    ...(["meta", "reembeddingTodo", "reembeddingNotes", "pending", "pendingSince"] as const),
    list("memoryKeys"),
  ],
  arguments: [
    ...(["model", "generation", "now", "refusedDueTime", "staleField", "leftCount", "notedCount"] as const),
    rows("memories", ["member", "embedding", "state"]),
  ],
  reply: (reply) => (isText(listOf(reply)[0], "AGAIN") ? "again" : "done"),
});
const FAIL = defineScript({
  file: new URL("./fail-reembedding.lua", import.meta.url),
  effect: "frees",
  keys: ["meta", "reembeddingTodo", "reembeddingNotes"],
  arguments: ["staleField"],
  reply: () => undefined,
});

/** How often a change is retried after a conflicting change of another process. */
const MAX_TRIES = 10;
/** Memories listed in one step. */
const LIST_STEP = 500;
/** Keys scanned in one step of a clean-up; each removed vector makes Redis index its memory again. */
const CLEAN_STEP = 50;

export interface RedisReembeddingStoreParts {
  readonly client: RedisClient;
  readonly keys: Keys;
  readonly namespaces: Namespaces;
  readonly model: VectorModel;
  /** Notified when memories have become pending. */
  readonly pendingAdded: Listeners;
  readonly names: IndexNames;
  readonly vectors: VectorIndexOptions;
  readonly log: Log;
}

/**
 * Fills a second field of vectors beside the one that is searched. The cut-over increases the generation, which names
 * the field, in one step per partition. Several processes may work on one re-embedding.
 */
export class RedisReembeddingStore implements ReembeddingStore {
  readonly work: ReembeddingWork;
  readonly #parts: RedisReembeddingStoreParts;
  readonly #records: ReembeddingRecords;
  /** The cursor of the clean-up of each partition; after a restart it begins at 0. */
  readonly #cursors = new Map<number, string>();

  constructor(parts: RedisReembeddingStoreParts) {
    this.#parts = parts;
    this.#records = new ReembeddingRecords(parts.client, parts.keys);
    this.work = new ReembeddingWork({
      ...parts,
      records: this.#records,
      prepare: async (record) => {
        await this.#prepare(record);
      },
    });
  }

  /** Resets the cursors of clean-ups: the store was replaced. */
  clearCache(): void {
    this.#cursors.clear();
  }

  identity(): EmbedderIdentity | undefined {
    return this.#parts.model.identity;
  }

  async latest(): Promise<Reembedding | undefined> {
    const record = await this.#records.read();
    return record === undefined ? undefined : this.#shown(record);
  }

  async start(options: StartReembeddingOptions): Promise<Reembedding> {
    const { id, target, now, request } = options;
    const { client, keys, model } = this.#parts;
    for (let tries = 0; tries < MAX_TRIES; tries += 1) {
      await model.refresh();
      const latest = await this.#records.read();
      const isCleaningUp = await this.#isCleaningUp();
      const { identity } = model;
      const decided = startReembedding({ target, request }, { latest, identity, isCleaningUp });
      if ("latest" in decided) return this.#shown(decided.latest);
      const last = numberOf(await client.command("HINCRBY", keys.partition(0).meta, "attempts", 1));
      const record: ReembeddingRecord = {
        id,
        source: decided.source,
        target,
        state: "RUNNING",
        memoryCount: 0,
        startTime: now,
        // Generation 1 exists before any re-embedding.
        generation: last + 1,
        listed: false,
        ...(request === undefined ? {} : { request: { key: request.key, bodyHash: request.bodyHash } }),
      };
      if (await this.#records.replace(latest, record)) return this.#shown(await this.#prepare(record));
    }
    throw unavailable("other servers keep changing the re-embedding");
  }

  async cutOver({ maxLeft, now }: { readonly maxLeft: number; readonly now: number }): Promise<boolean> {
    const { keys, model, pendingAdded } = this.#parts;
    const record = await this.#records.read();
    if (record?.state !== "RUNNING") {
      // Another process may have completed the cut-over.
      await model.refresh();
      return false;
    }
    if (!record.listed || (await this.work.remaining()) > maxLeft) return false;
    // The model of the first partition is authoritative; the others follow at once.
    for (const partition of keys.all()) {
      if (!(await this.#cutOverIn(partition, record, { maxLeft, now }))) return false;
    }
    await this.#records.replace(record, { ...record, state: "DONE", endTime: now });
    await model.refresh();
    pendingAdded.notify();
    return true;
  }

  onCutOver(listener: (identity: EmbedderIdentity) => void | Promise<void>): void {
    this.#parts.model.onChange(listener);
  }

  async fail(failure: string, now: number): Promise<void> {
    const record = await this.#records.read();
    if (record?.state !== "RUNNING") return;
    if (!(await this.#records.replace(record, { ...record, state: "FAILED", failure, endTime: now }))) return;
    const { client, keys } = this.#parts;
    for (const { meta, reembeddingTodo, reembeddingNotes } of keys.all()) {
      const staleField = vectorField(record.generation);
      await client.run(FAIL, { meta, reembeddingTodo, reembeddingNotes, staleField });
    }
  }

  async cleanUp(): Promise<boolean> {
    const { client, keys } = this.#parts;
    for (const partition of keys.all()) {
      const field = textOf(await client.command("HGET", partition.meta, "stale"));
      if (field === undefined) continue;
      const [next, found] = listOf(
        await client.commandAt(
          partition.root,
          "SCAN",
          this.#cursors.get(partition.number) ?? "0",
          "MATCH",
          `${partition.root}[mc]:*`,
          "COUNT",
          CLEAN_STEP,
        ),
      );
      await client.pipeline(listOf(found).map((key) => ["HDEL", textOf(key) ?? "", field]));
      const cursor = textOf(next) ?? "0";
      this.#cursors.set(partition.number, cursor);
      if (cursor === "0") await client.command("HDEL", partition.meta, "stale");
      return true;
    }
    return false;
  }

  async #isCleaningUp(): Promise<boolean> {
    const { client, keys } = this.#parts;
    const stale = await Promise.all(keys.all().map(({ meta }) => client.command("HEXISTS", meta, "stale")));
    return stale.some((there) => there === 1);
  }

  /**
   * Sets the next model in all partitions, and lists the memories that had a vector before. After a crash, another
   * process repeats it. A partition that has already cut over is skipped.
   */
  async #prepare(record: ReembeddingRecord): Promise<ReembeddingRecord> {
    if (record.listed) return record;
    const { client, keys, names, vectors } = this.#parts;
    const field = vectorField(record.generation);
    for (const partition of keys.all()) {
      const current = numberOf(await client.command("HGET", partition.meta, "generation"));
      if (current === record.generation) continue;
      await addVectorField(client, keys, partition, {
        names,
        vectors,
        field,
        dimension: record.target.dimension,
      });
      await client.command("HSET", partition.meta, "next", jsonOf(record.target));
      const namespaceIds = listOf(await client.command("HVALS", partition.namespaces)).map(String);
      for (const namespaceId of namespaceIds) {
        await this.#list(partition, namespaceId, { currentField: vectorField(current), nextField: field });
      }
    }
    const listed = { ...record, listed: true, memoryCount: await this.work.remaining() };
    await this.#records.replace(record, listed);
    return listed;
  }

  async #list(
    partition: PartitionKeys,
    namespaceId: string,
    fields: { readonly currentField: string; readonly nextField: string },
  ): Promise<void> {
    const { client } = this.#parts;
    const namespace = partition.namespace(namespaceId);
    let cursor = "0";
    do {
      const [next, found] = listOf(
        await client.command("ZSCAN", namespace.order, cursor, "COUNT", LIST_STEP),
      );
      // Alternating ids and scores.
      const ids = listOf(found).flatMap((id, at) => (at % 2 === 0 ? [textOf(id) ?? ""] : []));
      await client.run(LIST, {
        meta: partition.meta,
        reembeddingTodo: partition.reembeddingTodo,
        memoryKeys: ids.map((id) => namespace.memory(id)),
        ...fields,
        members: ids.map((id) => `${namespaceId}/${id}`),
      });
      cursor = textOf(next) ?? "0";
    } while (cursor !== "0");
  }

  async #cutOverIn(
    partition: PartitionKeys,
    { target, generation }: ReembeddingRecord,
    { maxLeft, now }: { readonly maxLeft: number; readonly now: number },
  ): Promise<boolean> {
    const { client } = this.#parts;
    const { meta, reembeddingTodo, reembeddingNotes, pending, pendingSince } = partition;
    for (let tries = 0; tries < MAX_TRIES; tries += 1) {
      const [todo, notes, current] = await client.pipeline([
        ["ZRANGE", reembeddingTodo, 0, maxLeft],
        ["HGETALL", reembeddingNotes],
        // The generation of this partition: others may have cut over already.
        ["HGET", meta, "generation"],
      ]);
      if (numberOf(current) === generation) return true;
      const left = listOf(todo).map((member) => textOf(member) ?? "");
      if (left.length > maxLeft) return false;
      const noted = new Map<string, string>();
      const pairs = listOf(notes);
      for (let at = 0; at < pairs.length; at += 2)
        noted.set(textOf(pairs[at]) ?? "", textOf(pairs[at + 1]) ?? "");
      const changes = new Map([...noted, ...left.map((member) => [member, "LATE"] as const)]);
      const answer = await client.run(CUT_OVER, {
        ...{ meta, reembeddingTodo, reembeddingNotes, pending, pendingSince },
        memoryKeys: [...changes.keys()].map((member) => keyOfMember(partition, member)),
        ...{ model: jsonOf(target), generation, now, refusedDueTime: neverDue(now) },
        staleField: vectorField(numberOf(current)),
        ...{ leftCount: left.length, notedCount: noted.size },
        memories: [...changes].map(([member, note]) => ({ member, ...embeddingAfter(note, target) })),
      });
      if (answer === "done") return true;
    }
    // Concurrent writes conflicted each time; the caller retries until it is stopped.
    return false;
  }

  async #shown(record: ReembeddingRecord): Promise<Reembedding> {
    const { request: _request, generation: _generation, listed: _listed, ...shown } = record;
    return { ...shown, remainingCount: record.state === "RUNNING" ? await this.work.remaining() : 0 };
  }
}

/** The embedding of a memory after the cut-over, as JSON, and its state. */
function embeddingAfter(
  note: string,
  { provider, model, dimension }: EmbedderIdentity,
): { readonly embedding: string; readonly state: string } {
  const isRefused = note.startsWith("REFUSED");
  const state = isRefused ? "REFUSED" : note === "LATE" ? "PENDING" : "READY";
  const embedding: MemoryEmbedding = {
    ...{ provider, model, dimension, state, truncated: note === "TRUNCATED" },
    ...(isRefused ? { refusal: note.slice("REFUSED ".length) } : {}),
  };
  return { embedding: JSON.stringify(embedding), state };
}
