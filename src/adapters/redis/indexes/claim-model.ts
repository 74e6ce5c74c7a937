import { randomInt } from "node:crypto";
import {
  type ConfiguredModel,
  isExplained,
  isKept,
  keptInstead,
  otherModel,
  usedInstead,
} from "../../../domain/embedding/configured-model.ts";
import { sameModel } from "../../../domain/embedding/identity.ts";
import type { EmbedderIdentity } from "../../../ports/embedding/embedder.ts";
import type { Log } from "../../../ports/log.ts";
import type { RedisClient } from "../connection/client.ts";
import { isForbidden } from "../connection/errors.ts";
import { listOf, numberOf, textOf } from "../connection/replies.ts";
import { defineScript } from "../connection/script.ts";
import type { Keys, PartitionKeys } from "../namespaces/keys.ts";
import { refused } from "../namespaces/metadata.ts";
import { type ReembeddingRecord, ReembeddingRecords } from "./reembedding-record.ts";

const CLAIM = defineScript({
  file: new URL("./claim-model.lua", import.meta.url),
  effect: "writes",
  keys: ["meta"],
  arguments: ["model", "generation", "attempts"],
  reply: (reply) => {
    const [model, generation, configured] = listOf(reply);
    return { model: textOf(model), generation: numberOf(generation), configured: textOf(configured) };
  },
});

/**
 * The first generation of a store is chosen at random, below this. So a write that was prepared for a replaced store (see
 * store-identity.ts) is refused by the new one, by the check of the generation that every write makes anyway.
 */
const MAX_FIRST_GENERATION = 2 ** 24;

/** The model of the vectors of a store. */
export interface ClaimedModel {
  /** Undefined: no vectors were stored so far. */
  readonly identity: EmbedderIdentity | undefined;
  readonly generation: number;
}

export interface ClaimModelOptions {
  /** Undefined: vector search is switched off. */
  readonly configured: ConfiguredModel | undefined;
  /** The model before a part of the store was replaced. Undefined: this process starts. */
  readonly known?: ClaimedModel;
  readonly log: Log;
}

/**
 * Claims this Redis for the vectors of a model, if it has none. Rejects with STORE_UNAVAILABLE when the vectors are of
 * another; except when re-embeddings have changed the model since it was configured: then that of Redis is used, and the
 * log names the settings to change. Vectors of `hashing` stay in use where no model is configured.
 */
export async function claimModel(
  client: RedisClient,
  keys: Keys,
  { configured, known, log }: ClaimModelOptions,
): Promise<ClaimedModel> {
  const [first, ...others] = keys.all();
  const ours = configured === undefined ? "" : jsonOf(configured);
  const stored = await Promise.all(keys.all().map((partition) => read(client, partition)));
  const proposal = await proposalFor(client, first, { ours, stored, known });
  const {
    model: json,
    generation,
    configured: last,
  } = await client.run(CLAIM, { meta: first.meta, ...proposal });
  // The model of the first partition is authoritative, also when two servers start at the same time.
  await Promise.all(
    others.map(({ meta }) =>
      client.run(CLAIM, { meta, model: json ?? "", generation, attempts: generation - 1 }),
    ),
  );
  const claimed: ClaimedModel = { identity: identityOf(json), generation };
  const records = new ReembeddingRecords(client, keys);
  const latest = await latestChange(
    records,
    await Promise.all(others.map((one) => read(client, one))),
    claimed,
  );
  const { identity } = claimed;
  const isKnown =
    identity !== undefined && known?.identity !== undefined && sameModel(identity, known.identity);
  let accepted = ours;
  if (configured !== undefined && identity !== undefined && !sameModel(identity, configured)) {
    const models = { configured, stored: identity };
    const isUnexplained = !isExplained({ ...models, before: identityOf(last), latest });
    if (isUnexplained && !isKnown && !isKept(models)) {
      const elsewhere = "REDIS_PREFIX and VECTOR_INDEX_NAME";
      throw refused(otherModel(models, { vectors: "the vectors in this Redis", elsewhere }));
    }
    if (!isKnown) log.warn(models, isUnexplained ? keptInstead(identity) : usedInstead(identity));
    // A default is no choice: it explains nothing at the next start.
    if (isUnexplained && isKept(models)) accepted = jsonOf(identity);
  }
  if (accepted !== "") await client.command("HSET", first.meta, "configured", accepted);
  return claimed;
}

/** Undefined: the partition is not claimed yet. */
async function read(
  client: RedisClient,
  { meta }: PartitionKeys,
): Promise<{ readonly model: string; readonly generation: number } | undefined> {
  const [model, generation] = listOf(await client.command("HMGET", meta, "model", "generation"));
  return generation === null ? undefined : { model: textOf(model) ?? "", generation: numberOf(generation) };
}

/** The model and generation for the first partition, if it is not claimed yet. */
async function proposalFor(
  client: RedisClient,
  first: PartitionKeys,
  {
    ours,
    stored,
    known,
  }: {
    readonly ours: string;
    readonly stored: readonly Awaited<ReturnType<typeof read>>[];
    readonly known: ClaimedModel | undefined;
  },
): Promise<{ readonly model: string; readonly generation: number; readonly attempts: number }> {
  // The field of an unrecorded re-embedding must not be reused, because an index cannot drop it.
  const after = (generation: number): number => generation - 1 + randomInt(MAX_FIRST_GENERATION);
  const other = stored.find((one) => one !== undefined);
  if (other !== undefined) {
    const { model, generation } = other;
    return { model: model === "" ? ours : model, generation, attempts: after(generation) };
  }
  if (await holdsData(client, first)) {
    if (known === undefined) {
      throw refused(
        `${first.meta} is missing, which says what the data beside it is: restore it, or delete that data`,
      );
    }
    const { identity, generation } = known;
    return {
      model: identity === undefined ? ours : jsonOf(identity),
      generation,
      attempts: after(generation),
    };
  }
  const generation = 1 + randomInt(MAX_FIRST_GENERATION);
  return { model: ours, generation, attempts: generation - 1 };
}

async function holdsData(client: RedisClient, { namespaces }: PartitionKeys): Promise<boolean> {
  try {
    return (await client.command("EXISTS", namespaces)) === 1;
  } catch (error) {
    // A user for `redis setup` may lack the permission to read.
    if (isForbidden(error)) return false;
    throw error;
  }
}

/**
 * The latest re-embedding. Its cut-over reaches one partition after the other, and nothing else makes them differ; except
 * that a partition may go back to an earlier state (a replica that lagged): then the re-embedding is resumed.
 */
async function latestChange(
  records: ReembeddingRecords,
  others: readonly Awaited<ReturnType<typeof read>>[],
  { generation }: ClaimedModel,
): Promise<ReembeddingRecord | undefined> {
  const latest = await records.read();
  const at = others.findIndex((one) => one !== undefined && one.generation !== generation);
  if (at === -1 || latest?.state === "RUNNING") return latest;
  if (latest?.state !== "DONE" || latest.generation !== generation) {
    throw refused(
      `the vectors of partition ${at + 1} are of another generation of the model than those of partition 0: one of the ` +
        "two is of another time or deployment; restore it, or delete its data",
    );
  }
  const { endTime: _, ...rest } = latest;
  const again: ReembeddingRecord = { ...rest, state: "RUNNING", listed: false };
  // When the replace fails, another process has done the same.
  await records.replace(latest, again);
  return again;
}

export function jsonOf({ provider, model, dimension }: EmbedderIdentity): string {
  return JSON.stringify({ provider, model, dimension });
}

export function identityOf(json: string | undefined): EmbedderIdentity | undefined {
  return json === undefined || json === "" ? undefined : (JSON.parse(json) as EmbedderIdentity);
}
