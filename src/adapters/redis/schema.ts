import { RecollectError } from "../../domain/errors.ts";
import type { EmbedderIdentity } from "../../ports/embedder.ts";
import type { Argument, Command, RedisClient, Reply } from "./client.ts";
import type { Keys, PartitionKeys } from "./keys.ts";
import { refused } from "./meta.ts";
import { listOf, textOf } from "./replies.ts";

/** How vectors are indexed. */
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
 * The names of the indexes of a partition. They are aliases, so that an index made anew takes the place of the old one
 * in one step. On a cluster the name decides which node it is sent to, so it carries the partition's hash tag.
 */
export function indexNames(names: IndexNames, keys: Keys, { number }: PartitionKeys): IndexNames {
  const tag = keys.partitions === 1 ? "" : `:{p${String(number).padStart(2, "0")}}`;
  return { memories: `${names.memories}${tag}`, cache: `${names.cache}${tag}` };
}

/** The field of the vectors of a generation of the model (see vector-model.ts). */
export function vectorField(generation: number): string {
  return `v${generation}`;
}

/** What is indexed of a memory, beside its vector. */
const MEMORY_FIELDS: readonly Argument[] = [
  // Everything that filters by equality, as tokens of this namespace alone (see memory-tokens.ts).
  ...["tok", "TAG", "SEPARATOR", ",", "CASESENSITIVE"],
  // Terms as termsOf makes them, spelled so that no tokenizer takes them apart (see memory-terms.ts).
  ...["terms", "TEXT", "NOSTEM"],
  ...["created", "NUMERIC"],
  ...["event", "NUMERIC"],
  ...["importance", "NUMERIC"],
];

/** The same of a cache entry. */
const CACHE_FIELDS: readonly Argument[] = [...["scope", "TAG", "SEPARATOR", ",", "CASESENSITIVE"]];

interface Wanted {
  readonly alias: string;
  readonly prefix: string;
  readonly fields: readonly Argument[];
}

/**
 * Makes the indexes of each partition that are not there, and verifies those that are. Rejects with STORE_UNAVAILABLE
 * when one of them is another than is wanted, and says what differs. Another process may do the same at the same time.
 */
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
  const vector =
    options.identity === undefined
      ? []
      : vectorSchema(vectorField(options.generation), options.identity.dimension, options.vectors);
  for (let number = 0; number < keys.partitions; number += 1) {
    const partition = keys.partition(number);
    const names = indexNames(options.names, keys, partition);
    await openIndex(
      client,
      { alias: names.memories, prefix: partition.memories, fields: MEMORY_FIELDS },
      vector,
    );
    await openIndex(
      client,
      { alias: names.cache, prefix: partition.cacheEntries, fields: CACHE_FIELDS },
      vector,
    );
  }
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

async function openIndex(client: RedisClient, wanted: Wanted, vector: readonly Argument[]): Promise<void> {
  if ((await readIndex(client, wanted.alias)) === undefined) await createIndex(client, wanted, vector);
  const index = await readIndex(client, wanted.alias);
  if (index === undefined) throw refused(`the index ${wanted.alias} was made and is not there`);
  verify(wanted, index, vector);
  const field = String(vector[0] ?? "");
  if (field !== "" && !index.fields.has(field)) {
    await orThere(client, ["FT.ALTER", wanted.alias, "SCHEMA", "ADD", ...vector], "Duplicate field");
  }
}

/** Lets the indexes of a partition take vectors of another field, beside those that they have. */
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

/** Makes the first index under a name. Of several processes that do so, one makes it. */
async function createIndex(
  client: RedisClient,
  { alias, prefix, fields }: Wanted,
  vector: readonly Argument[],
): Promise<void> {
  const name = `${alias}:1`;
  const definition: Command = [
    "FT.CREATE",
    name,
    ...["ON", "HASH", "PREFIX", 1, prefix],
    // Offsets serve phrases and highlighting, which nobody asks for; every word counts.
    ...["NOOFFSETS", "NOHL", "STOPWORDS", 0],
    "SCHEMA",
    ...fields,
    ...vector,
  ];
  await orThere(client, definition, "Index already exists");
  await orThere(client, ["FT.ALIASADD", alias, name], "Alias already exists");
}

async function orThere(client: RedisClient, command: Command, there: string): Promise<void> {
  try {
    await client.command(...command);
  } catch (error) {
    if (!(error instanceof Error) || error instanceof RecollectError || !error.message.includes(there))
      throw error;
  }
}

interface Index {
  readonly prefixes: readonly string[];
  readonly fields: ReadonlyMap<string, ReadonlyMap<string, string>>;
}

/** FT.INFO takes tens of milliseconds of Redis' one thread on a large index: at a start only. */
async function readIndex(client: RedisClient, alias: string): Promise<Index | undefined> {
  let reply: Reply;
  try {
    reply = await client.command("FT.INFO", alias);
  } catch (error) {
    if (error instanceof Error && /unknown index name|no such index/i.test(error.message)) return undefined;
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
  return { prefixes, fields };
}

/** Names and values in turn; what stands alone (SORTABLE, NOSTEM) comes last and is passed over. */
function pairs(reply: Reply | undefined): Map<string, Reply> {
  const list = listOf(reply);
  const found = new Map<string, Reply>();
  for (let at = 0; at + 1 < list.length; at += 2) found.set(String(list[at]), list[at + 1] ?? null);
  return found;
}

function verify({ alias, prefix, fields }: Wanted, index: Index, vector: readonly Argument[]): void {
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
  const asked = new Map(
    Array.from({ length: parameters.length / 2 }, (_, at) => [
      String(parameters[2 * at]).toLowerCase(),
      String(parameters[2 * at + 1]),
    ]),
  );
  for (const [parameter, value] of [["algorithm", String(algorithm)], ...asked] as const) {
    const is = stored.get(parameter);
    if (is === undefined || parameter === "type" || is === value) continue;
    throw refused(`the index ${alias} has ${parameter} ${is}, and this server is set to ${value}`);
  }
}

function isName(field: Argument): boolean {
  return /^[a-z]/.test(String(field));
}
