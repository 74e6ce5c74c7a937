import type { NamespaceKey } from "../../../domain/access/tenancy.ts";
import { NEVER, neverDue } from "../../../domain/embedding/due-time.ts";
import { isRefusal } from "../../../domain/embedding/refusal.ts";
import { vectorToBytes } from "../../../domain/embedding/vector.ts";
import type { MemoryEmbedding } from "../../../domain/memory/memory.ts";
import type { Listeners } from "../../../lib/listeners.ts";
import type { EmbedderIdentity } from "../../../ports/embedding/embedder.ts";
import type {
  PendingMemoryQueue,
  PendingState,
  RefusedTexts,
} from "../../../ports/embedding/pending-memory-queue.ts";
import type {
  MemoryVersion,
  PendingMemory,
  PendingQuery,
  SettledMemory,
} from "../../../ports/embedding/queue.ts";
import type { Log } from "../../../ports/log.ts";
import type { Argument, RedisClient } from "../connection/client.ts";
import { listOf, numberOf, textOf } from "../connection/replies.ts";
import { defineScript, list, rows } from "../connection/script.ts";
import { withCurrentModel } from "../indexes/model-retry.ts";
import { vectorField } from "../indexes/schema.ts";
import type { VectorModel } from "../indexes/vector-model.ts";
import type { PartitionKeys } from "../namespaces/keys.ts";
import type { Namespaces } from "../namespaces/namespace-ids.ts";
import { orModelChanged } from "../namespaces/namespace-script.ts";
import { locate, type ReadPending, readPending } from "./pending-memory.ts";
import { refusedIn } from "./refused-texts.ts";

const SETTLE = defineScript({
  file: new URL("./settle-pending.lua", import.meta.url),
  effect: "writes",
  keys: [
    ...(["meta", "namespaces", "pending", "pendingSince", "pendingAttempts", "reembeddingTodo"] as const),
    list("memoryKeys"),
  ],
  arguments: [
    ...(["generation", "now", "refusedDueTime"] as const),
    rows("memories", ["namespaceName", "member", "etag", "embedding", "field", "vector"]),
  ],
  reply: orModelChanged((reply) => numberOf(listOf(reply)[1])),
});
const POSTPONE = defineScript({
  file: new URL("./postpone-pending.lua", import.meta.url),
  effect: "writes",
  keys: ["namespaces", "pending", "pendingAttempts", list("memoryKeys")],
  arguments: [rows("memories", ["namespaceName", "member", "etag", "dueTime"])],
  reply: () => undefined,
});
const REMOVE = defineScript({
  file: new URL("./remove-pending.lua", import.meta.url),
  effect: "frees",
  keys: ["pending", "pendingSince", "pendingAttempts"],
  arguments: ["member"],
  reply: () => undefined,
});
const RETRY = defineScript({
  file: new URL("./retry-refused.lua", import.meta.url),
  effect: "writes",
  keys: ["pending"],
  arguments: ["leastDueTime", "limit"],
  reply: numberOf,
});

/** Members read at once, from each partition. */
const PAGE = 100;
/** Refused memories made due in one step. */
const RETRY_STEP = 500;

interface PendingMember {
  readonly partition: PartitionKeys;
  readonly member: string;
  readonly dueTime: number;
}

/**
 * The embedding queue in Redis. Several processes may embed the same memory; the first to settle it wins, and the others
 * find that it is no longer pending.
 */
export class RedisEmbeddingQueue implements PendingMemoryQueue {
  readonly #client: RedisClient;
  readonly #namespaces: Namespaces;
  readonly #model: VectorModel;
  readonly #added: Listeners;
  readonly #log: Log;

  constructor(
    client: RedisClient,
    namespaces: Namespaces,
    parts: { readonly model: VectorModel; readonly pendingAdded: Listeners; readonly log: Log },
  ) {
    this.#client = client;
    this.#namespaces = namespaces;
    this.#model = parts.model;
    this.#added = parts.pendingAdded;
    this.#log = parts.log;
  }

  async pending({ limit, maxBytes, skip, now }: PendingQuery): Promise<PendingMemory[]> {
    const found: PendingMemory[] = [];
    let bytes = 0;
    let passed = 0;
    for await (const due of this.#due(now)) {
      const read = await this.#readAll(due, now);
      const useless = due.filter((_, index) => read[index] === undefined);
      await this.#remove(useless);
      for (const one of read) {
        if (one === undefined) continue;
        if (passed < skip) {
          passed += 1;
          continue;
        }
        found.push(one.memory);
        bytes += one.bytes;
        if (found.length === limit || bytes >= maxBytes) return found;
      }
    }
    return found;
  }

  async settle(
    items: readonly SettledMemory[],
    { identity, now }: { readonly identity: EmbedderIdentity; readonly now: number },
  ): Promise<number> {
    let settled = 0;
    for (const [number, group] of this.#byPartition(items)) {
      settled += await this.#settleIn(this.#namespaces.keys.partition(number), group, { identity, now });
    }
    return settled;
  }

  async postpone(items: readonly (MemoryVersion & { readonly dueTime: number })[]): Promise<void> {
    for (const [number, group] of this.#byPartition(items)) {
      const partition = this.#namespaces.keys.partition(number);
      const there = await locate(this.#namespaces, group, (item) => item);
      const { namespaces, pending, pendingAttempts } = partition;
      await this.#client.run(POSTPONE, {
        ...{ namespaces, pending, pendingAttempts },
        memoryKeys: there.map(({ key }) => key),
        memories: there.map(({ item, name, member }) => ({
          ...{ namespaceName: name, member, etag: item.etag, dueTime: Math.round(item.dueTime) },
        })),
      });
    }
  }

  async retryRefused(): Promise<void> {
    for (const { pending } of this.#namespaces.keys.all()) {
      let retried = RETRY_STEP;
      while (retried === RETRY_STEP) {
        retried = await this.#client.run(RETRY, { pending, leastDueTime: NEVER, limit: RETRY_STEP });
      }
    }
  }

  async state(): Promise<PendingState> {
    const states = await Promise.all(
      this.#namespaces.keys.all().map(async ({ pending, pendingSince }) => {
        const [count, oldest, next] = await this.#client.pipeline([
          ["ZCARD", pendingSince],
          ["ZRANGE", pendingSince, 0, 0, "WITHSCORES"],
          ["ZRANGE", pending, "-inf", `(${NEVER}`, "BYSCORE", "LIMIT", 0, 1, "WITHSCORES"],
        ]);
        return { count: numberOf(count), oldest: listOf(oldest)[1], next: listOf(next)[1] };
      }),
    );
    const earliest = (times: readonly (typeof states)[number]["next"][]): number | undefined => {
      const known = times.filter((time) => time !== undefined).map(numberOf);
      return known.length === 0 ? undefined : Math.min(...known);
    };
    const oldestTime = earliest(states.map(({ oldest }) => oldest));
    const nextTime = earliest(states.map(({ next }) => next));
    return {
      count: states.reduce((sum, { count }) => sum + count, 0),
      ...(oldestTime === undefined ? {} : { oldestTime }),
      ...(nextTime === undefined ? {} : { nextTime }),
    };
  }

  async refused({ limit }: { readonly limit: number }): Promise<RefusedTexts> {
    const each = await Promise.all(
      this.#namespaces.keys
        .all()
        .map((partition) => refusedIn({ client: this.#client, log: this.#log }, partition, limit)),
    );
    const latest = each.flatMap((one) => one.latest);
    latest.sort((a, b) => (b.refuseTime ?? 0) - (a.refuseTime ?? 0));
    return { count: each.reduce((sum, { count }) => sum + count, 0), latest: latest.slice(0, limit) };
  }

  onAdded(listener: () => void): void {
    this.#added.add(listener);
  }

  /** Due memories of all partitions, in pages, in the order of their due times. */
  async *#due(now: number): AsyncGenerator<readonly PendingMember[]> {
    let left: PendingMember[] = [];
    const offsets = new Map(this.#namespaces.keys.all().map((partition) => [partition, 0]));
    while (left.length > 0 || offsets.size > 0) {
      // A partition with unprocessed members is not read: its next members come after those.
      const asked = [...offsets].filter(([partition]) => !left.some((one) => one.partition === partition));
      for (const [partition, offset] of asked) {
        const page = await this.#page(partition, offset, now);
        if (page.length < PAGE) offsets.delete(partition);
        else offsets.set(partition, offset + page.length);
        left.push(...page);
      }
      if (left.length === 0) return;
      left.sort((a, b) => a.dueTime - b.dueTime || (a.member < b.member ? -1 : 1));
      // Stops at the last member of a partition with more pages: the next page may hold members that come first.
      const open = [...offsets.keys()].map((partition) =>
        left.findLastIndex((one) => one.partition === partition),
      );
      const end = open.length === 0 ? left.length : Math.max(1, Math.min(...open) + 1);
      yield left.slice(0, end);
      left = left.slice(end);
    }
  }

  async #page(partition: PartitionKeys, offset: number, now: number): Promise<PendingMember[]> {
    const reply = listOf(
      await this.#client.command(
        "ZRANGE",
        partition.pending,
        "-inf",
        now,
        "BYSCORE",
        "LIMIT",
        offset,
        PAGE,
        "WITHSCORES",
      ),
    );
    return Array.from({ length: reply.length / 2 }, (_, index) => ({
      partition,
      member: textOf(reply[2 * index]) ?? "",
      dueTime: numberOf(reply[2 * index + 1]),
    }));
  }

  /** In the order of the members; undefined for a memory that no longer has to be embedded. */
  async #readAll(members: readonly PendingMember[], now: number): Promise<(ReadPending | undefined)[]> {
    const read = new Map<PendingMember, ReadPending | undefined>();
    for (const partition of new Set(members.map((one) => one.partition))) {
      const here = members.filter((one) => one.partition === partition);
      const names = here.map(({ member }) => member);
      const found = await readPending({ client: this.#client, log: this.#log }, partition, names, now);
      for (const [index, one] of here.entries()) read.set(one, found[index]);
    }
    return members.map((one) => read.get(one));
  }

  async #remove(useless: readonly PendingMember[]): Promise<void> {
    for (const { partition, member } of useless) {
      const { pending, pendingSince, pendingAttempts } = partition;
      await this.#client.run(REMOVE, { pending, pendingSince, pendingAttempts, member });
    }
  }

  async #settleIn(
    partition: PartitionKeys,
    items: readonly SettledMemory[],
    { identity, now }: { readonly identity: EmbedderIdentity; readonly now: number },
  ): Promise<number> {
    const there = await locate(this.#namespaces, items, (item) => item);
    return withCurrentModel(this.#model, async () => {
      const { generation } = this.#model;
      // The vector is of another model: the memory stays pending.
      const taken = there.filter(({ item }) => this.#model.takes(madeBy(item, identity)));
      if (taken.length === 0) return 0;
      const { meta, namespaces, pending, pendingSince, pendingAttempts, reembeddingTodo } = partition;
      return this.#client.run(SETTLE, {
        ...{ meta, namespaces, pending, pendingSince, pendingAttempts, reembeddingTodo },
        memoryKeys: taken.map(({ key }) => key),
        ...{ generation, now, refusedDueTime: neverDue(now) },
        memories: taken.map(({ item, name, member }) => ({
          ...{ namespaceName: name, member, etag: item.etag },
          ...settlement(item, identity, generation),
        })),
      });
    });
  }

  #byPartition<Item extends { readonly scope: NamespaceKey }>(items: readonly Item[]): Map<number, Item[]> {
    return Map.groupBy(items, ({ scope }) => this.#namespaces.keys.partitionOf(scope));
  }
}

function madeBy({ outcome }: SettledMemory, identity: EmbedderIdentity): EmbedderIdentity {
  return (isRefusal(outcome) ? undefined : outcome.identity) ?? identity;
}

/** Embedding, field and vector: the input of the script. */
function settlement(
  item: SettledMemory,
  identity: EmbedderIdentity,
  generation: number,
): { readonly embedding: string; readonly field: string; readonly vector: Argument } {
  const { provider, model, dimension } = madeBy(item, identity);
  const { outcome } = item;
  const embedding = (made: Pick<MemoryEmbedding, "state" | "truncated" | "refusal">): string =>
    JSON.stringify({ provider, model, dimension, ...made } satisfies MemoryEmbedding);
  if (isRefusal(outcome)) {
    const refused = embedding({ state: "REFUSED", truncated: false, refusal: outcome.refusal });
    return { embedding: refused, field: "", vector: "" };
  }
  return {
    embedding: embedding({ state: "READY", truncated: outcome.truncated }),
    field: vectorField(generation),
    vector: Buffer.from(vectorToBytes(outcome.vector)),
  };
}
