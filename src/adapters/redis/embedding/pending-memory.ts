import { indexedText, isExpired, type Memory } from "../../../domain/memory/memory.ts";
import type { MemoryVersion, PendingMemory } from "../../../ports/embedding/queue.ts";
import type { Log } from "../../../ports/log.ts";
import type { RedisClient, Reply } from "../connection/client.ts";
import { bytesOf, listOf, numberOf, textOf } from "../connection/replies.ts";
import { defineScript, list } from "../connection/script.ts";
import { namespaceKeyOf, type PartitionKeys, scopeName } from "../namespaces/keys.ts";
import type { Namespaces } from "../namespaces/namespace-ids.ts";
import { plainRecord, unpackRecord } from "../namespaces/records.ts";

/** A stored memory; undefined when it or its namespace was deleted. */
type PendingReply =
  | {
      readonly name: string;
      readonly rec: Buffer | undefined;
      readonly etag: string;
      readonly expireTime: number | undefined;
      readonly attempts: number;
    }
  | undefined;

const READ = defineScript({
  file: new URL("./read-pending.lua", import.meta.url),
  effect: "reads",
  keys: ["namespaces", "namespaceNames", "pendingAttempts", list("memoryKeys")],
  arguments: [list("members")],
  reply: (reply) => listOf(reply).map(pendingReply),
});

function pendingReply(reply: Reply): PendingReply {
  if (reply === null) return undefined;
  const [name, rec, etag, expire, attempts] = listOf(reply);
  return {
    name: textOf(name) ?? "",
    rec: bytesOf(rec),
    etag: textOf(etag) ?? "",
    expireTime: expire === null ? undefined : numberOf(expire),
    attempts: numberOf(attempts),
  };
}

export interface ReadPending {
  readonly memory: PendingMemory;
  /** Size of its uncompressed record. */
  readonly bytes: number;
}

/** The keys of a memory, with the item that named it. */
export interface Located<Item> {
  readonly item: Item;
  /** The name of its namespace. */
  readonly name: string;
  /** `<namespaceId>/<id>`. */
  readonly member: string;
  readonly key: string;
}

/** Finds the keys of memories; leaves out those of deleted namespaces. */
export async function locate<Item>(
  namespaces: Namespaces,
  items: readonly Item[],
  versionOf: (item: Item) => MemoryVersion,
): Promise<Located<Item>[]> {
  const located = await Promise.all(
    items.map(async (item) => {
      const { scope, id } = versionOf(item);
      const namespace = await namespaces.find(scope);
      if (namespace === undefined) return [];
      return [
        { item, name: scopeName(scope), member: `${namespace.namespaceId}/${id}`, key: namespace.memory(id) },
      ];
    }),
  );
  return located.flat();
}

/** The key of the memory of a member `<namespaceId>/<id>`. */
export function keyOfMember(partition: PartitionKeys, member: string): string {
  const slash = member.indexOf("/");
  return partition.namespace(member.slice(0, slash)).memory(member.slice(slash + 1));
}

/** Reads pending memories; undefined for one that no longer has to be embedded, or cannot be read. */
export async function readPending(
  { client, log }: { readonly client: RedisClient; readonly log: Log },
  partition: PartitionKeys,
  members: readonly string[],
  now: number,
): Promise<(ReadPending | undefined)[]> {
  if (members.length === 0) return [];
  const replies = await client.run(READ, {
    namespaces: partition.namespaces,
    namespaceNames: partition.names,
    pendingAttempts: partition.pendingAttempts,
    memoryKeys: members.map((member) => keyOfMember(partition, member)),
    members,
  });
  return members.map((member, index) => {
    const reply = replies[index];
    if (reply === undefined) return undefined;
    const { name, rec, etag, expireTime, attempts } = reply;
    if (expireTime !== undefined && isExpired({ expireTime }, now)) return undefined;
    const id = member.slice(member.indexOf("/") + 1);
    try {
      const plain = plainRecord(rec ?? Buffer.alloc(0), `memory ${id}`);
      const memory = {
        scope: namespaceKeyOf(name),
        id,
        etag,
        text: indexedText(unpackRecord<Memory>(plain, `memory ${id}`)),
        attempts,
      };
      return { memory, bytes: plain.length };
    } catch (error) {
      log.warn({ err: error }, "a pending memory cannot be read, and is removed from the embedding queue");
      return undefined;
    }
  });
}
