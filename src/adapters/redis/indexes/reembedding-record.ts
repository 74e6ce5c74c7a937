import type { Reembedding } from "../../../ports/embedding/reembedding-store.ts";
import type { RedisClient } from "../connection/client.ts";
import { isText, listOf, textOf } from "../connection/replies.ts";
import { defineScript } from "../connection/script.ts";
import type { Keys } from "../namespaces/keys.ts";

const REPLACE = defineScript({
  file: new URL("./replace-reembedding.lua", import.meta.url),
  effect: "writes",
  keys: ["meta"],
  arguments: ["readRecord", "nextRecord"],
  reply: (reply) => isText(listOf(reply)[0], "DONE"),
});

/** The record of the latest re-embedding, with the request that started it; the remaining memories are counted. */
export interface ReembeddingRecord extends Omit<Reembedding, "remainingCount"> {
  /** The generation of the new vectors; never reused, because an index cannot drop the field of an earlier one. */
  readonly generation: number;
  /** Whether all memories that had a vector at the start have been listed. */
  readonly listed: boolean;
  readonly request?: { readonly key: string; readonly bodyHash: string };
}

/** The record in the first partition, which several processes may change. */
export class ReembeddingRecords {
  readonly #client: RedisClient;
  readonly #meta: string;

  constructor(client: RedisClient, keys: Keys) {
    this.#client = client;
    this.#meta = keys.partition(0).meta;
  }

  async read(): Promise<ReembeddingRecord | undefined> {
    const json = textOf(await this.#client.command("HGET", this.#meta, "reembedding"));
    return json === undefined ? undefined : (JSON.parse(json) as ReembeddingRecord);
  }

  /** Compare-and-set: false, and nothing is changed, when the stored record is no longer the one that was read. */
  replace(read: ReembeddingRecord | undefined, next: ReembeddingRecord): Promise<boolean> {
    const before = read === undefined ? "" : JSON.stringify(read);
    const input = { meta: this.#meta, readRecord: before, nextRecord: JSON.stringify(next) };
    return this.#client.run(REPLACE, input);
  }
}
