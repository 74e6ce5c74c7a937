import { indexedText, isExpired, type Memory } from "../../../domain/memory/memory.ts";
import type { MemoryVersion, PendingMemory } from "../../../ports/embedding/queue.ts";
import type { Log } from "../../../ports/log.ts";
import type { RedisClient } from "../connection/client.ts";
import { bytesOf, listOf, numberOf, textOf } from "../connection/replies.ts";
import { readScript } from "../connection/script.ts";
import { type PartitionKeys, scopeName } from "../namespaces/keys.ts";
import type { Namespaces } from "../namespaces/namespace-ids.ts";
import { plainRecord, unpackRecord } from "../namespaces/records.ts";

const READ = readScript(new URL("./read-waiting.lua", import.meta.url), { effect: "reads" });

export interface ReadPending {
  readonly memory: PendingMemory;
  /** Of its record when it is not compressed. */
  readonly bytes: number;
}

/** Where a memory lies, with what was asked of it. */
export interface Located<Item> {
  readonly item: Item;
  /** Of its namespace. */
  readonly name: string;
  /** `<number>/<id>`. */
  readonly member: string;
  readonly key: string;
}

/** Where memories lie; those of namespaces that are gone are left out. */
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
        { item, name: scopeName(scope), member: `${namespace.number}/${id}`, key: namespace.memory(id) },
      ];
    }),
  );
  return located.flat();
}

/** The key of the memory that a member `<number>/<id>` of a partition's lists means. */
export function keyOfMember(partition: PartitionKeys, member: string): string {
  const slash = member.indexOf("/");
  return partition.namespace(member.slice(0, slash)).memory(member.slice(slash + 1));
}

/** Reads memories for their embedding; undefined where there is nothing to embed any more, or it cannot be read. */
export async function readWaiting(
  { client, log }: { readonly client: RedisClient; readonly log: Log },
  partition: PartitionKeys,
  members: readonly string[],
  now: number,
): Promise<(ReadPending | undefined)[]> {
  if (members.length === 0) return [];
  const replies = listOf(
    await client.run(
      READ,
      [
        partition.namespaces,
        partition.names,
        partition.waitingAttempts,
        ...members.map((member) => keyOfMember(partition, member)),
      ],
      members,
    ),
  );
  return members.map((member, index) => {
    const reply = replies[index];
    if (reply === null || reply === undefined) return undefined;
    const [name, rec, etag, expire, attempts] = listOf(reply);
    if (expire !== null && isExpired({ expireTime: numberOf(expire) }, now)) return undefined;
    const id = member.slice(member.indexOf("/") + 1);
    try {
      const plain = plainRecord(bytesOf(rec) ?? Buffer.alloc(0), `memory ${id}`);
      const [tenant = "", namespace = ""] = (textOf(name) ?? "").split(":");
      const memory = {
        scope: { tenant, namespace },
        id,
        etag: textOf(etag) ?? "",
        text: indexedText(unpackRecord<Memory>(plain, `memory ${id}`)),
        attempts: numberOf(attempts),
      };
      return { memory, bytes: plain.length };
    } catch (error) {
      log.warn({ err: error }, "a memory that waits for its vector cannot be read, and waits no longer");
      return undefined;
    }
  });
}
