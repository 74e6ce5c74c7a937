import type { RedisClient } from "../connection/client.ts";
import { ReembeddingRecords } from "../indexes/reembedding-record.ts";
import type { Keys } from "../namespaces/keys.ts";

/**
 * What a re-embedding needs after partitions were replaced. One that is under way is prepared again, for those partitions
 * know nothing of it. Without its record, which is in the first partition, the others still list what is to be embedded.
 */
export async function repairReembedding(client: RedisClient, keys: Keys): Promise<void> {
  const records = new ReembeddingRecords(client, keys);
  const latest = await records.read();
  if (latest?.state === "RUNNING") {
    // Another process that does the same has done it when this one cannot.
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
