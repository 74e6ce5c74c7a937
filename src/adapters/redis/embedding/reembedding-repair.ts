import type { RedisClient } from "../connection/client.ts";
import { ReembeddingRecords } from "../indexes/reembedding-record.ts";
import type { Keys } from "../namespaces/keys.ts";

/**
 * Repairs a re-embedding after partitions were replaced. One in progress is prepared again, because those partitions have
 * no data of it. Without its record, which is in the first partition, the lists in the other partitions are deleted.
 */
export async function repairReembedding(client: RedisClient, keys: Keys): Promise<void> {
  const records = new ReembeddingRecords(client, keys);
  const latest = await records.read();
  if (latest?.state === "RUNNING") {
    // When the replace fails, another process has done the same.
    if (latest.listed) await records.replace(latest, { ...latest, listed: false });
    return;
  }
  if (latest !== undefined) return;
  await Promise.all(
    keys.all().map(async ({ meta, reembeddingTodo, reembeddingNotes }) => {
      await client.command("HDEL", meta, "next");
      for (const key of [reembeddingTodo, reembeddingNotes]) await client.command("DEL", key);
    }),
  );
}
