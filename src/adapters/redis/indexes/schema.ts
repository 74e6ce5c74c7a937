import { setTimeout } from "node:timers/promises";
import { RecollectError } from "../../../domain/errors.ts";
import type { EmbedderIdentity } from "../../../ports/embedding/embedder.ts";
import type { Argument, Command, RedisClient, Reply } from "../connection/client.ts";
import { isForbidden, refused, unavailable } from "../connection/errors.ts";
import { listOf, numberOf, textOf } from "../connection/replies.ts";
import type { Keys, PartitionKeys } from "../namespaces/keys.ts";

/** The options of the vector index. */
export interface VectorIndexOptions {
  readonly algorithm: "HNSW" | "FLAT";
  readonly hnsw: { readonly m: number; readonly efConstruction: number; readonly efRuntime: number };
}

export interface IndexNames {
  /** Of memories. */
  readonly memories: string;
  readonly cache: string;
}

/**
 * The names of the indexes of a partition. They are aliases, so that a rebuilt index takes the place of the old one
 * in one step. On a cluster the name decides which node it is sent to, so it carries the partition's hash tag.
 */
export function indexNames(names: IndexNames, keys: Keys, { number }: PartitionKeys): IndexNames {
  const tag = keys.isCluster ? `:{p${String(number).padStart(2, "0")}}` : "";
  return { memories: `${names.memories}${tag}`, cache: `${names.cache}${tag}` };
}

/** The field of the vectors of a generation of the model (see vector-model.ts). */
export function vectorField(generation: number): string {
  return `v${generation}`;
}

/** Pause between polls of a filling index: each poll blocks Redis' one thread for up to 65 ms at 100,000 vectors. */
const FIRST_LOOK_MS = 5;
const MAX_LOOK_MS = 1000;

/** The indexed fields of a memory, without its vector. */
const MEMORY_FIELDS: readonly Argument[] = [
  // All fields that are filtered by equality, as tokens of one namespace (see tokens.ts).
  ...["tok", "TAG", "SEPARATOR", ",", "CASESENSITIVE"],
  // The terms of termsOf, spelled so that no tokenizer splits them (see terms.ts).
  ...["terms", "TEXT", "NOSTEM"],
  ...["created", "NUMERIC"],
  ...["event", "NUMERIC"],
  ...["importance", "NUMERIC"],
];

/** Those that format 2 has added, for `as_of`: an index of format 1 gets them when it is opened. */
const HISTORY_FIELDS = ["ended", "from", "until"] as const;
const HISTORY_SCHEMA: readonly Argument[] = HISTORY_FIELDS.flatMap((name) => [name, "NUMERIC"]);

/** The indexed fields of a cache entry, without its vector. */
const CACHE_FIELDS: readonly Argument[] = [...["scope", "TAG", "SEPARATOR", ",", "CASESENSITIVE"]];

/** The definition of an index. */
export interface Wanted {
  readonly content: "MEMORIES" | "CACHE_ENTRIES";
  readonly alias: string;
  readonly prefix: string;
  readonly fields: readonly Argument[];
  /** Fields that later formats have added to it. */
  readonly added: readonly Argument[];
  /** The schema of its vectors; empty when vector search is switched off. */
  readonly vector: readonly Argument[];
}

/** The indexes of a partition, memories before cache entries. */
export function wantedIndexes(
  names: IndexNames,
  keys: Keys,
  partition: PartitionKeys,
  vector: readonly Argument[],
): readonly Wanted[] {
  const { memories, cache } = indexNames(names, keys, partition);
  return [
    {
      content: "MEMORIES",
      alias: memories,
      prefix: partition.memories,
      fields: MEMORY_FIELDS,
      added: HISTORY_SCHEMA,
      vector,
    },
    {
      content: "CACHE_ENTRIES",
      alias: cache,
      prefix: partition.cacheEntries,
      fields: CACHE_FIELDS,
      added: [],
      vector,
    },
  ];
}

/** The schema of the vectors; empty when vector search is switched off. */
export function wantedVector(
  { identity, generation }: { readonly identity: EmbedderIdentity | undefined; readonly generation: number },
  vectors: VectorIndexOptions,
): readonly Argument[] {
  return identity === undefined ? [] : vectorSchema(vectorField(generation), identity.dimension, vectors);
}

/** Opens the indexes of all partitions (see openIndex), and waits until they are complete. */
export async function openIndexes(
  client: RedisClient,
  keys: Keys,
  options: {
    readonly names: IndexNames;
    readonly vectors: VectorIndexOptions;
    /** Undefined: vector search is switched off. */
    readonly identity: EmbedderIdentity | undefined;
    readonly generation: number;
  },
): Promise<void> {
  const vector = wantedVector(options, options.vectors);
  const open = async (partition: PartitionKeys): Promise<void> => {
    const wanted = wantedIndexes(options.names, keys, partition, vector);
    await openPartition(client, partition, wanted);
    // Also fields that were added to an existing index.
    await Promise.all(wanted.map(({ alias }) => isFilled(client, alias)));
  };
  await Promise.all(keys.all().map(open));
}

/**
 * Opens the indexes of a partition (see openIndex), and sets the number of its memories where it is missing: scripts keep
 * it up to date from then on.
 */
export async function openPartition(
  client: RedisClient,
  { meta }: PartitionKeys,
  wanted: readonly Wanted[],
  signal?: AbortSignal,
): Promise<void> {
  const [memories] = await Promise.all(wanted.map((one) => openIndex(client, one, signal)));
  if (memories !== undefined) await client.command("HSETNX", meta, "memories", memories);
}

export function vectorSchema(
  field: string,
  dimension: number,
  { algorithm, hnsw }: VectorIndexOptions,
): readonly Argument[] {
  const common = ["TYPE", "FLOAT32", "DIM", dimension, "DISTANCE_METRIC", "COSINE"];
  const graph =
    algorithm === "HNSW"
      ? ["M", hnsw.m, "EF_CONSTRUCTION", hnsw.efConstruction, "EF_RUNTIME", hnsw.efRuntime]
      : [];
  const parameters = [...common, ...graph];
  return [field, "VECTOR", algorithm, parameters.length, ...parameters];
}

/**
 * Creates a missing index, waits until it is complete (or `signal` aborts), and then gives it its alias; verifies an
 * existing one. Resolves with the number of its documents; undefined: it is not complete. Rejects with STORE_UNAVAILABLE and
 * the difference when it is not as configured. Other processes may do the same concurrently.
 */
async function openIndex(
  client: RedisClient,
  wanted: Wanted,
  signal?: AbortSignal,
): Promise<number | undefined> {
  const { alias } = wanted;
  if ((await readIndex(client, alias)) === undefined) {
    const name = await ifAllowed(alias, () => makeFirst(client, wanted));
    if (!(await isFilled(client, name, signal))) return undefined;
    await ifAllowed(alias, () => orThere(client, ["FT.ALIASADD", alias, name], "Alias already exists"));
  }
  const index = await readIndex(client, alias);
  if (index === undefined) throw refused(`the index ${alias} was made and is not there`);
  verify(wanted, index);
  for (const schema of [wanted.added, wanted.vector]) {
    const field = String(schema[0] ?? "");
    if (field === "" || index.fields.has(field)) continue;
    const add: Command = ["FT.ALTER", alias, "SCHEMA", "ADD", ...schema];
    await ifAllowed(alias, () => orThere(client, add, "Duplicate field"));
  }
  return index.isIndexing ? undefined : index.documents;
}

/** A user who may create indexes can read every key through them, so the user of the server need not have that right. */
async function ifAllowed<T>(alias: string, change: () => Promise<T>): Promise<T> {
  try {
    return await change();
  } catch (error) {
    if (!isForbidden(error)) throw error;
    throw refused(
      `the index ${alias} is not there or lacks a field, and this user of Redis may not make it: run ` +
        "`recollect redis setup` as one who may",
    );
  }
}

/** Adds another vector field to the indexes of a partition. */
export async function addVectorField(
  client: RedisClient,
  keys: Keys,
  partition: PartitionKeys,
  options: {
    readonly names: IndexNames;
    readonly vectors: VectorIndexOptions;
    readonly field: string;
    readonly dimension: number;
  },
): Promise<void> {
  const { memories, cache } = indexNames(options.names, keys, partition);
  const vector = vectorSchema(options.field, options.dimension, options.vectors);
  for (const alias of [memories, cache]) {
    await orThere(client, ["FT.ALTER", alias, "SCHEMA", "ADD", ...vector], "Duplicate field");
  }
}

/** Waits until a new index holds all existing documents. False: the signal has aborted, or the index was dropped. */
async function isFilled(client: RedisClient, name: string, signal?: AbortSignal): Promise<boolean> {
  for (let pause = FIRST_LOOK_MS; signal?.aborted !== true; pause = Math.min(2 * pause, MAX_LOOK_MS)) {
    const index = await readIndex(client, name);
    if (index === undefined || !index.isIndexing) return index !== undefined;
    await setTimeout(pause, undefined, signal === undefined ? {} : { signal }).catch(() => undefined);
  }
  return false;
}

/** Creates an index, unless another process has done so concurrently. Resolves with its name. */
async function makeFirst(client: RedisClient, wanted: Wanted): Promise<string> {
  const [existing] = await listIndexes(client, wanted.alias);
  if (existing !== undefined) return existing;
  const name = `${wanted.alias}:1`;
  await orThere(client, definition(name, wanted), "Index already exists");
  return name;
}

function definition(name: string, { prefix, fields, added, vector }: Wanted): Command {
  return [
    "FT.CREATE",
    name,
    ...["ON", "HASH", "PREFIX", 1, prefix],
    // Offsets are only for phrases and highlighting, which are not used; no stop words.
    ...["NOOFFSETS", "NOHL", "STOPWORDS", 0],
    "SCHEMA",
    ...fields,
    ...added,
    ...vector,
  ];
}

/** One index serves, and one is being created; others were abandoned. */
const MAX_INDEX_NUMBER = 100;

/** Creates an unused index, and resolves with its name; Redis fills it in the background. */
export async function createIndex(client: RedisClient, wanted: Wanted): Promise<string> {
  for (let number = 1; number <= MAX_INDEX_NUMBER; number += 1) {
    const name = `${wanted.alias}:${number}`;
    try {
      await client.command(...definition(name, wanted));
      return name;
    } catch (error) {
      if (!says(error, "Index already exists")) throw error;
    }
  }
  throw refused(`there are ${MAX_INDEX_NUMBER} indexes for ${wanted.alias}: drop those that have no alias`);
}

/** Searches by the alias use this index from now on. */
export async function pointAlias(client: RedisClient, alias: string, name: string): Promise<void> {
  await client.command("FT.ALIASUPDATE", alias, name);
}

/** Drops an index without its documents. */
export async function dropIndex(client: RedisClient, name: string): Promise<void> {
  try {
    await client.command("FT.DROPINDEX", name);
  } catch (error) {
    if (!isMissingIndex(error)) throw error;
  }
}

/** The names of all indexes of an alias. */
export async function listIndexes(client: RedisClient, alias: string): Promise<string[]> {
  const all = listOf(await client.commandAt(alias, "FT._LIST")).map(String);
  return all.filter((name) => name.startsWith(`${alias}:`) && /^\d+$/.test(name.slice(alias.length + 1)));
}

async function orThere(client: RedisClient, command: Command, there: string): Promise<void> {
  try {
    await client.command(...command);
  } catch (error) {
    if (!says(error, there)) throw error;
  }
}

function says(error: unknown, words: string): boolean {
  return error instanceof Error && !(error instanceof RecollectError) && error.message.includes(words);
}

/** Whether a command failed because the index does not exist. */
export function isMissingIndex(error: unknown): boolean {
  return says(error, "nknown index name") || says(error, "no such index");
}

/** For a call that needs an index that is being created. */
export function indexIsMade(): RecollectError {
  return unavailable("a search index of Redis is being rebuilt");
}

/** The state of an index. */
export interface Index {
  readonly name: string;
  readonly prefixes: readonly string[];
  readonly fields: ReadonlyMap<string, ReadonlyMap<string, string>>;
  readonly documents: number;
  /** Documents that could not be indexed completely. */
  readonly failures: number;
  readonly memoryBytes: number;
  /** Share of the documents that are indexed, 0 to 1. */
  readonly indexedFraction: number;
  readonly isIndexing: boolean;
}

/** Whether an index of memories has the fields for `as_of`; Redis fills them in the background. */
export function hasHistoryFields({ fields }: Pick<Index, "fields">): boolean {
  return HISTORY_FIELDS.every((name) => fields.has(name));
}

/** The sizes in FT.INFO, in megabytes. */
const SIZES = [
  "inverted_sz_mb",
  "vector_index_sz_mb",
  "offset_vectors_sz_mb",
  "doc_table_size_mb",
  "sortable_values_size_mb",
  "key_table_size_mb",
] as const;

/** FT.INFO blocks Redis' one thread for tens of milliseconds on a large index: only for starts and operators. */
export async function readIndex(client: RedisClient, alias: string): Promise<Index | undefined> {
  let reply: Reply;
  try {
    reply = await client.command("FT.INFO", alias);
  } catch (error) {
    if (isMissingIndex(error)) return undefined;
    throw error;
  }
  const info = pairs(reply);
  const prefixes = listOf(pairs(info.get("index_definition")).get("prefixes")).map(String);
  const fields = new Map(
    listOf(info.get("attributes")).map((attribute) => {
      const properties = new Map(
        [...pairs(attribute)].map(([name, value]) => [name.toLowerCase(), textOf(value) ?? ""]),
      );
      return [properties.get("attribute") ?? "", properties];
    }),
  );
  const megabytes = SIZES.reduce((sum, size) => sum + numberOf(info.get(size)), 0);
  return {
    name: textOf(info.get("index_name")) ?? "",
    prefixes,
    fields,
    documents: numberOf(info.get("num_docs")),
    failures: numberOf(info.get("hash_indexing_failures")),
    memoryBytes: Math.round(megabytes * 1024 * 1024),
    indexedFraction: numberOf(info.get("percent_indexed") ?? Buffer.from("1")),
    isIndexing: numberOf(info.get("indexing")) === 1,
  };
}

/** Alternating names and values; single flags (SORTABLE, NOSTEM) come last and are skipped. */
function pairs(reply: Reply | undefined): Map<string, Reply> {
  const list = listOf(reply);
  const found = new Map<string, Reply>();
  for (let at = 0; at + 1 < list.length; at += 2) found.set(String(list[at]), list[at + 1] ?? null);
  return found;
}

function verify({ alias, prefix, fields, vector }: Wanted, index: Index): void {
  if (index.prefixes.length !== 1 || index.prefixes[0] !== prefix) {
    throw refused(
      `the index ${alias} is over keys that begin with ${index.prefixes.join(", ")}, not with ${prefix}: it belongs to ` +
        "another deployment; set another VECTOR_INDEX_NAME and REDIS_PREFIX, or those of the data",
    );
  }
  const missing = fields
    .filter((name, at) => /^[A-Z]+$/.test(String(fields[at + 1])) && isName(name))
    .find((name) => !index.fields.has(String(name)));
  if (missing !== undefined) throw refused(`the index ${alias} has no field ${String(missing)}`);
  const [name, , algorithm, , ...parameters] = vector;
  const stored = index.fields.get(String(name));
  if (stored === undefined) return;
  const expected = new Map(
    Array.from({ length: parameters.length / 2 }, (_, at) => [
      String(parameters[2 * at]).toLowerCase(),
      String(parameters[2 * at + 1]),
    ]),
  );
  for (const [parameter, value] of [["algorithm", String(algorithm)], ...expected] as const) {
    const is = stored.get(parameter);
    if (is === undefined || parameter === "type" || is === value) continue;
    throw refused(`the index ${alias} has ${parameter} ${is}, and this server is set to ${value}`);
  }
}

function isName(field: Argument): boolean {
  return /^[a-z]/.test(String(field));
}
