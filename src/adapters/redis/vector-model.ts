import { isExplained, otherModel, usedInstead } from "../../domain/embedding/configured-model.ts";
import { ModelChanged, sameModel } from "../../domain/embedding/identity.ts";
import type { EmbedderIdentity } from "../../ports/embedder.ts";
import type { Log } from "../../ports/log.ts";
import type { RedisClient, Reply } from "./client.ts";
import type { Keys } from "./keys.ts";
import { refused } from "./meta.ts";
import { ReembeddingRecords } from "./reembedding-record.ts";
import { listOf, numberOf, textOf } from "./replies.ts";
import { readScript } from "./script.ts";

const CLAIM = readScript("claim-model", { effect: "writes" });

/**
 * Of which model the vectors of this Redis are, and how often it was changed: the generation, which names the field that
 * holds the vectors. Another process may change it; scripts and searches therefore carry the generation they were made
 * for, and it is read again when it was not that of Redis.
 */
export class VectorModel {
  readonly #client: RedisClient;
  readonly #keys: Keys;
  #identity: EmbedderIdentity | undefined;
  #generation: number;
  readonly #listeners: ((identity: EmbedderIdentity) => void | Promise<void>)[] = [];
  #refreshing: Promise<void> | undefined;

  private constructor(client: RedisClient, keys: Keys, claimed: Claimed) {
    this.#client = client;
    this.#keys = keys;
    this.#identity = claimed.identity;
    this.#generation = claimed.generation;
  }

  /**
   * Claims this Redis for the vectors of a model (undefined: vector search is switched off), if it had none. Rejects
   * with STORE_UNAVAILABLE when the vectors are of another; except that re-embeddings change the model behind the back of
   * the settings: then Redis is right, and the log says what to set.
   */
  static async claim(
    client: RedisClient,
    keys: Keys,
    configured: EmbedderIdentity | undefined,
    log: Log,
  ): Promise<VectorModel> {
    const ours = configured === undefined ? "" : jsonOf(configured);
    const [partition, ...others] = keys.all();
    const claim = async (meta: string, json: string): Promise<readonly Reply[]> =>
      listOf(await client.run(CLAIM, [meta], [json]));
    // The first says of which model all are, also where two servers start at the same time.
    const [json, generation, last] = await claim(partition.meta, ours);
    const before = identityOf(textOf(last));
    const first: Claimed = { identity: identityOf(textOf(json)), generation: numberOf(generation) };
    await Promise.all(others.map(({ meta }) => claim(meta, textOf(json) ?? "")));
    const { identity } = first;
    if (configured !== undefined && identity !== undefined && !sameModel(identity, configured)) {
      const latest = await new ReembeddingRecords(client, keys).read();
      const models = { configured, stored: identity };
      if (!isExplained({ ...models, before, latest })) {
        const elsewhere = "REDIS_PREFIX and VECTOR_INDEX_NAME";
        throw refused(otherModel(models, { vectors: "the vectors in this Redis", elsewhere }));
      }
      log.warn(models, usedInstead(identity));
    }
    if (ours !== "") await client.command("HSET", keys.partition(0).meta, "configured", ours);
    return new VectorModel(
      client,
      keys,
      configured === undefined ? { ...first, identity: undefined } : first,
    );
  }

  /** Undefined: vector search is switched off. */
  get identity(): EmbedderIdentity | undefined {
    return this.#identity;
  }

  get generation(): number {
    return this.#generation;
  }

  /** Whether a vector of this model may be kept. Undefined: nobody says whose it is. */
  takes(identity: EmbedderIdentity | undefined): boolean {
    return identity === undefined || this.#identity === undefined || sameModel(identity, this.#identity);
  }

  /** Throws ModelChanged for a vector of another model than those that are compared. */
  check(identity: EmbedderIdentity | undefined): void {
    if (!this.takes(identity)) throw new ModelChanged();
  }

  /**
   * Redis has said that the generation is another one. What listeners do is waited for before anything here sees the
   * change, and who asks meanwhile waits with them.
   */
  refresh(): Promise<void> {
    this.#refreshing ??= this.#read().finally(() => {
      this.#refreshing = undefined;
    });
    return this.#refreshing;
  }

  /**
   * The same, for who was told that the generation is not the one it went by. False: it is, as far as anybody can know,
   * for a change has not come to all partitions yet.
   */
  async hasChangedSince(generation: number): Promise<boolean> {
    if (this.#generation === generation) await this.refresh();
    return this.#generation !== generation;
  }

  onChange(listener: (identity: EmbedderIdentity) => void | Promise<void>): void {
    this.#listeners.push(listener);
  }

  async #read(): Promise<void> {
    const { meta } = this.#keys.partition(0);
    const [json, generation] = listOf(await this.#client.command("HMGET", meta, "model", "generation"));
    if (numberOf(generation) === this.#generation) return;
    const identity = identityOf(textOf(json));
    if (identity !== undefined && this.#identity !== undefined) {
      for (const listener of this.#listeners) await listener(identity);
      this.#identity = identity;
    }
    this.#generation = numberOf(generation);
  }
}

interface Claimed {
  readonly identity: EmbedderIdentity | undefined;
  readonly generation: number;
}

export function jsonOf({ provider, model, dimension }: EmbedderIdentity): string {
  return JSON.stringify({ provider, model, dimension });
}

function identityOf(json: string | undefined): EmbedderIdentity | undefined {
  return json === undefined ? undefined : (JSON.parse(json) as EmbedderIdentity);
}
