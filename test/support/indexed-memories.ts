import { randomUUID } from "node:crypto";
import type { Command, RedisClient } from "../../src/adapters/redis/connection/client.ts";
import {
  openIndexes,
  type VectorIndexOptions,
  vectorField,
} from "../../src/adapters/redis/indexes/schema.ts";
import { VectorModel } from "../../src/adapters/redis/indexes/vector-model.ts";
import { encodeTerm, encodeTerms } from "../../src/adapters/redis/memory/terms.ts";
import { isCounted, memoryTokens } from "../../src/adapters/redis/memory/tokens.ts";
import { Keys, scopeName } from "../../src/adapters/redis/namespaces/keys.ts";
import { claimPartitions } from "../../src/adapters/redis/namespaces/metadata.ts";
import { Namespaces } from "../../src/adapters/redis/namespaces/namespace-ids.ts";
import type { NamespaceKey } from "../../src/domain/access/tenancy.ts";
import { vectorToBytes } from "../../src/domain/embedding/vector.ts";
import { endedTime, type Memory } from "../../src/domain/memory/memory.ts";
import { quiet } from "./quiet.ts";
import { removeAll } from "./redis/backend.ts";
import { connect } from "./redis-cache.ts";

export interface IndexedMemory {
  readonly memory: Memory;
  readonly terms?: readonly string[];
  readonly vector?: Float32Array | undefined;
}

/** A private key space in Redis with indexed memories, for tests of the index without the stores. */
export interface IndexedMemories extends AsyncDisposable {
  readonly client: RedisClient;
  readonly keys: Keys;
  readonly namespaces: Namespaces;
  readonly model: VectorModel;
  readonly indexes: { readonly memories: string; readonly cache: string };
  readonly vectors: VectorIndexOptions;
  /** The commands of each round trip since the last call. */
  asked(): readonly (readonly Command[])[];
  numberOf(scope: NamespaceKey): string;
  /** Writes memories and their counters; an existing one is overwritten, and counted again. */
  put(scope: NamespaceKey, memories: readonly IndexedMemory[]): Promise<void>;
  remove(scope: NamespaceKey, memories: readonly IndexedMemory[]): Promise<void>;
}

const HNSW = { m: 16, efConstruction: 200, efRuntime: 64 };
const IN_A_PIPELINE = 500;

export async function openIndexedMemories(
  url: string,
  { algorithm = "HNSW", dimension }: { readonly algorithm?: "HNSW" | "FLAT"; readonly dimension: number },
): Promise<IndexedMemories> {
  const name = `test-${randomUUID()}`;
  const client = await connect(url);
  const keys = new Keys(`${name}:`, 1);
  const namespaces = new Namespaces(client, keys);
  const identity = { provider: "test", model: "test", dimension };
  const model = await VectorModel.claim(client, keys, identity, quiet.log);
  const indexes = { memories: `${name}:memory`, cache: `${name}:cache` };
  const vectors = { algorithm, hnsw: HNSW };
  await claimPartitions(client, keys);
  await openIndexes(client, keys, { names: indexes, vectors, identity, generation: model.generation });
  const partition = keys.partition(0);
  const numbers = new Map<string, string>();

  let asked: Command[][] = [];
  // A search sends its commands, followed by the script that reads the counters.
  let sent: Command[] = [];
  const [command, run, pipeline] = [
    client.command.bind(client),
    client.run.bind(client),
    client.pipeline.bind(client),
  ];
  client.command = (...one) => {
    if (one[0] === "FT.SEARCH") sent.push(one);
    return command(...one);
  };
  client.run = (...script) => {
    asked.push(sent);
    sent = [];
    return run(...script);
  };

  const numberOf = (scope: NamespaceKey): string => {
    const known = numbers.get(scopeName(scope)) ?? randomUUID().replaceAll("-", "").slice(0, 16);
    numbers.set(scopeName(scope), known);
    return known;
  };
  const count = (scope: NamespaceKey, { memory, terms = [] }: IndexedMemory, by: 1 | -1): Command[] => {
    const namespace = partition.namespace(numberOf(scope));
    const tokens = memoryTokens(namespace.namespaceId, memory).filter(isCounted);
    return [
      ["HINCRBY", namespace.counters, "memories", by],
      ["HINCRBY", namespace.counters, "terms", by * terms.length],
      ...tokens.map((token): Command => ["HINCRBY", namespace.sizes, token, by]),
      ...[...new Set(terms)].map(
        (term): Command => ["HINCRBY", namespace.documentFrequencies, encodeTerm(term), by],
      ),
    ];
  };
  const send = async (
    scope: NamespaceKey,
    memories: readonly IndexedMemory[],
    of: (one: IndexedMemory) => Command[],
  ) => {
    await client.command("HSET", partition.namespaces, scopeName(scope), numberOf(scope));
    for (let at = 0; at < memories.length; at += IN_A_PIPELINE) {
      await pipeline(memories.slice(at, at + IN_A_PIPELINE).flatMap(of));
    }
  };

  return {
    client,
    keys,
    namespaces,
    model,
    indexes,
    vectors,
    numberOf,
    asked: () => {
      const taken = asked;
      asked = [];
      return taken;
    },
    put: (scope, memories) =>
      send(scope, memories, (one) => [...hashOf(numberOf(scope), one), ...count(scope, one, 1)]),
    remove: (scope, memories) =>
      send(scope, memories, (one) => [
        ["DEL", partition.namespace(numberOf(scope)).memory(one.memory.id)],
        ...count(scope, one, -1),
      ]),
    [Symbol.asyncDispose]: async () => {
      await client[Symbol.asyncDispose]();
      await removeAll(url, name);
    },
  };

  function hashOf(number: string, { memory, terms = [], vector }: IndexedMemory): Command[] {
    const { createTime, eventTime, expireTime, importance } = memory;
    const key = partition.namespace(number).memory(memory.id);
    const optional = {
      event: eventTime,
      expire: expireTime,
      ended: endedTime(memory),
      from: memory.validFrom,
      until: memory.validUntil,
      [vectorField(model.generation)]: vector === undefined ? undefined : Buffer.from(vectorToBytes(vector)),
    };
    const fields = Object.entries(optional);
    return [
      ["HDEL", key, ...fields.filter(([, value]) => value === undefined).map(([name]) => name), "none"],
      [
        "HSET",
        key,
        ...["tok", memoryTokens(number, memory).join(",")],
        ...["terms", encodeTerms(terms)],
        ...["created", String(createTime)],
        ...["importance", String(importance)],
        ...["facts", [createTime, eventTime ?? "", importance, expireTime ?? ""].join(" ")],
        ...fields.flatMap(([name, value]) => (value === undefined ? [] : [name, value])),
      ],
    ];
  }
}
