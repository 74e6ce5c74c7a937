import type { ConfiguredModel } from "../../../domain/embedding/configured-model.ts";
import { ModelChanged, sameModel } from "../../../domain/embedding/identity.ts";
import type { EmbedderIdentity } from "../../../ports/embedding/embedder.ts";
import type { Log } from "../../../ports/log.ts";
import type { RedisClient } from "../connection/client.ts";
import { listOf, numberOf, textOf } from "../connection/replies.ts";
import type { Keys } from "../namespaces/keys.ts";
import { type ClaimedModel, claimModel, identityOf } from "./claim-model.ts";

/**
 * The model of the vectors in this Redis, and its generation: a number that changes with the model and names the field
 * of the vectors. Other processes may change it; scripts and searches therefore carry the generation that they were
 * made for, and it is read again when Redis has another one.
 */
export class VectorModel {
  readonly #client: RedisClient;
  readonly #keys: Keys;
  readonly #configured: ConfiguredModel | undefined;
  #identity: EmbedderIdentity | undefined;
  #generation: number;
  readonly #listeners: ((identity: EmbedderIdentity) => void | Promise<void>)[] = [];
  #refreshing: Promise<void> | undefined;
  /** Verifies that the store is still the same. Rejects when it cannot be served. */
  #verify: () => Promise<void> = async () => undefined;

  private constructor(
    client: RedisClient,
    keys: Keys,
    configured: ConfiguredModel | undefined,
    { identity, generation }: ClaimedModel,
  ) {
    this.#client = client;
    this.#keys = keys;
    this.#configured = configured;
    this.#identity = configured === undefined ? undefined : identity;
    this.#generation = generation;
  }

  /** See claimModel. `configured` undefined: vector search is switched off. */
  static async claim(
    client: RedisClient,
    keys: Keys,
    configured: ConfiguredModel | undefined,
    log: Log,
  ): Promise<VectorModel> {
    return new VectorModel(client, keys, configured, await claimModel(client, keys, { configured, log }));
  }

  /** Claims a replaced store, as a start does, and uses its model from then on. */
  async claimAgain(log: Log): Promise<void> {
    const known = { identity: this.#identity, generation: this.#generation };
    const options = { configured: this.#configured, known, log };
    await this.#become(await claimModel(this.#client, this.#keys, options));
  }

  /** `verify` is called before the generation is read again, because a replaced store has another one, too. */
  verifyBy(verify: () => Promise<void>): void {
    this.#verify = verify;
  }

  /** Undefined: vector search is switched off. */
  get identity(): EmbedderIdentity | undefined {
    return this.#identity;
  }

  get generation(): number {
    return this.#generation;
  }

  /** Whether a vector of this model may be stored. Undefined: its model is not known. */
  takes(identity: EmbedderIdentity | undefined): boolean {
    return identity === undefined || this.#identity === undefined || sameModel(identity, this.#identity);
  }

  /** Throws ModelChanged for a vector of another model than those that are compared. */
  check(identity: EmbedderIdentity | undefined): void {
    if (!this.takes(identity)) throw new ModelChanged();
  }

  /**
   * Call when Redis reports another generation. The change is visible here after the listeners are done; concurrent calls
   * wait for them.
   */
  refresh(): Promise<void> {
    this.#refreshing ??= this.#read().finally(() => {
      this.#refreshing = undefined;
    });
    return this.#refreshing;
  }

  /**
   * The same, for a command that was sent with this generation and refused. False: the first partition still has this
   * generation, because a change has not reached all partitions yet.
   */
  async hasChangedSince(generation: number): Promise<boolean> {
    if (this.#generation === generation) await this.refresh();
    return this.#generation !== generation;
  }

  onChange(listener: (identity: EmbedderIdentity) => void | Promise<void>): void {
    this.#listeners.push(listener);
  }

  async #read(): Promise<void> {
    await this.#verify();
    const { meta } = this.#keys.partition(0);
    const [json, generation] = listOf(await this.#client.command("HMGET", meta, "model", "generation"));
    // A store that is not claimed yet has none.
    if (generation === null || numberOf(generation) === this.#generation) return;
    await this.#become({ identity: identityOf(textOf(json)), generation: numberOf(generation) });
  }

  async #become({ identity, generation }: ClaimedModel): Promise<void> {
    if (identity !== undefined && this.#identity !== undefined) {
      if (!sameModel(identity, this.#identity)) {
        for (const listener of this.#listeners) await listener(identity);
      }
      this.#identity = identity;
    }
    this.#generation = generation;
  }
}
