import { NEVER, refuseTimeOf } from "../../../domain/embedding/due-time.ts";
import { RecollectError } from "../../../domain/errors.ts";
import type { MemoryEmbedding } from "../../../domain/memory/memory.ts";
import type { RefusedText, RefusedTexts } from "../../../ports/embedding/pending-memory-queue.ts";
import type { Log } from "../../../ports/log.ts";
import type { RedisClient } from "../connection/client.ts";
import { listOf, numberOf, textOf } from "../connection/replies.ts";
import type { Reply } from "../connection/servers.ts";
import type { PartitionKeys } from "../namespaces/keys.ts";
import { unpackRecord } from "../namespaces/records.ts";
import { keyOfMember } from "./pending-memory.ts";

/** The refused texts of one partition, the latest first. */
export async function refusedIn(
  { client, log }: { readonly client: RedisClient; readonly log: Log },
  partition: PartitionKeys,
  limit: number,
): Promise<RefusedTexts> {
  const { pending, pendingSince } = partition;
  const [all, unrefused, latest] = await client.pipeline([
    ["ZCARD", pending],
    ["ZCARD", pendingSince],
    ["ZRANGE", pending, "+inf", NEVER, "BYSCORE", "REV", "LIMIT", 0, limit, "WITHSCORES"],
  ]);
  const members = pairsOf(listOf(latest));
  const embeddings = await client.pipeline(
    members.map(([member]) => ["HGET", keyOfMember(partition, member), "emb"]),
  );
  return {
    // Refused memories are not in pendingSince; the difference of the two counts may change between the reads.
    count: Math.max(0, numberOf(all) - numberOf(unrefused)),
    latest: members.flatMap(([member, score], index) => {
      const stored = textOf(embeddings[index]);
      return stored === undefined ? [] : refusedText(stored, { member, score, log });
    }),
  };
}

function refusedText(
  stored: string,
  { member, score, log }: { readonly member: string; readonly score: number; readonly log: Log },
): RefusedText[] {
  try {
    const { refusal = "" } = unpackRecord<MemoryEmbedding>(Buffer.from(stored), `memory ${member}`);
    const refuseTime = refuseTimeOf(score);
    return [{ refusal, ...(refuseTime === undefined ? {} : { refuseTime }) }];
  } catch (error) {
    if (!(error instanceof RecollectError) || error.reason !== "STORE_CORRUPT") throw error;
    log.warn({ err: error }, "the embedding of a memory is damaged; its refusal is left out");
    return [];
  }
}

/** Parses members and their scores. */
function pairsOf(reply: readonly Reply[]): [string, number][] {
  return Array.from({ length: reply.length / 2 }, (_, index) => [
    textOf(reply[2 * index]) ?? "",
    numberOf(reply[2 * index + 1]),
  ]);
}
