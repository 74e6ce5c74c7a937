import { vectorToBytes } from "../../../domain/embedding/vector.ts";
import { sum } from "../../../domain/memory/access-counts.ts";
import {
  type AccessStatistics,
  duplicateKey,
  endedTime,
  type Memory,
  type MemoryEmbedding,
  type MemoryState,
  type StoredMemory,
  textKey,
  withAccess,
} from "../../../domain/memory/memory.ts";
import { putTime } from "../../../domain/memory/revision.ts";
import type { EmbedderIdentity } from "../../../ports/embedding/embedder.ts";
import type { Replacement } from "../../../ports/memory/writer.ts";
import type { Argument, Reply } from "../connection/client.ts";
import { bytesOf, listOf, numberOf, textOf } from "../connection/replies.ts";
import { defineLibrary } from "../connection/script.ts";
import type { VectorModel } from "../indexes/vector-model.ts";
import type { NamespaceRedisKeys } from "../namespaces/keys.ts";
import { type PackRecord, plainRecord, unpackRecord } from "../namespaces/records.ts";
import type { CachedMemory } from "./memory-cache.ts";
import { encodeTerms } from "./terms.ts";
import { memoryTokens, tokenOf } from "./tokens.ts";

/** Lua functions that read the row of a memory, for readRow. */
export const ROW = defineLibrary({
  file: new URL("./row-library.lua", import.meta.url),
  keys: ["memoryPrefix", "accessCounts", "lastAccesses"],
});

/** Lua functions that write and remove memories of the namespace `namespaceId`. */
export const MEMORY = defineLibrary({
  file: new URL("./memory-library.lua", import.meta.url),
  keys: [
    ...(["meta", "counters", "memoryPrefix", "memoryOrder", "duplicates", "sizes"] as const),
    ...(["documentFrequencies", "lastPositions", "sessionPrefix", "accessCounts", "lastAccesses"] as const),
    "revisionsPrefix",
    ...(["memoryExpiry", "pending", "pendingSince", "pendingAttempts", "reembeddingTodo"] as const),
    ...(["changedScopes", "changedScopeCounts"] as const),
  ],
  arguments: ["namespaceId"],
});

/** The keys of MEMORY and FEED. */
export function memoryKeys(namespace: NamespaceRedisKeys) {
  const { meta, memoryExpiry, pending, pendingSince, pendingAttempts, reembeddingTodo } = namespace.partition;
  return {
    meta,
    counters: namespace.counters,
    changeFeed: namespace.changeFeed,
    memoryPrefix: namespace.memory(""),
    memoryOrder: namespace.order,
    duplicates: namespace.duplicates,
    sizes: namespace.sizes,
    documentFrequencies: namespace.documentFrequencies,
    lastPositions: namespace.lastPositions,
    sessionPrefix: namespace.session(""),
    accessCounts: namespace.accessCounts,
    lastAccesses: namespace.lastAccesses,
    revisionsPrefix: namespace.revisions(""),
    ...{ memoryExpiry, pending, pendingSince, pendingAttempts, reembeddingTodo },
    changedScopes: namespace.partition.changedScopes,
    changedScopeCounts: namespace.partition.changedScopeCounts,
  };
}

/** What `as_of` filters by, beside the create time; an absent time is empty. The hash has them as `ended`, `from` and `until`. */
export const HISTORY_FIELDS = ["ended", "validFrom", "validUntil"] as const;

export function historyInput(memory: Memory): Readonly<Record<(typeof HISTORY_FIELDS)[number], Argument>> {
  const { validFrom = "", validUntil = "" } = memory;
  return { ended: endedTime(memory) ?? "", validFrom, validUntil };
}

/** The fields of a row that write_memory in memory-library.lua reads; absent ones are empty. */
export const MEMORY_FIELDS = [
  ...(["id", "tok", "terms", "created", "event", "importance", "vector", "rec", "emb", "etag"] as const),
  ...(["dup", "sameText", "expire", "session", "pending", "updated", "user", ...HISTORY_FIELDS] as const),
] as const;

export type MemoryInput = Readonly<Record<(typeof MEMORY_FIELDS)[number], Argument>>;

export function memoryInput(namespaceId: string, item: Replacement, pack: PackRecord): MemoryInput {
  const { sessionPosition: _given, embedding, ...record } = item.memory;
  const { id, sessionId, createTime, updateTime, eventTime, expireTime, importance, state, etag } = record;
  return {
    id,
    tok: memoryTokens(namespaceId, item.memory).join(","),
    terms: encodeTerms(item.terms),
    created: createTime,
    event: eventTime ?? "",
    importance,
    vector: item.vector === undefined ? "" : Buffer.from(vectorToBytes(item.vector)),
    rec: pack(record),
    emb: JSON.stringify(embedding),
    etag,
    dup: state === "ACTIVE" ? duplicateMember(item) : "",
    sameText: state === "ACTIVE" ? item.textKey : "",
    expire: expireTime ?? "",
    session: sessionId === "" ? "" : tokenOf(namespaceId, "session", sessionId),
    pending: pendingState(item),
    user: record.userId,
    updated: updateTime,
    ...historyInput(item.memory),
  };
}

/** The fields of a row for an item that writes no memory. */
export const NO_MEMORY = Object.fromEntries(MEMORY_FIELDS.map((field) => [field, ""])) as Record<
  (typeof MEMORY_FIELDS)[number],
  ""
>;

/** The fields of a row that supersede_memory in memory-library.lua reads: what a new state changes of every memory. */
export const SUPERSEDED_FIELDS = ["id", "tok", "rec", "etag", "updated", "ended"] as const;

export function supersededInput(
  namespaceId: string,
  memory: Memory,
  pack: PackRecord,
): Readonly<Record<(typeof SUPERSEDED_FIELDS)[number], Argument>> {
  const { sessionPosition: _given, embedding: _beside, ...record } = memory;
  const tok = memoryTokens(namespaceId, memory).join(",");
  const ended = endedTime(memory) ?? "";
  return { id: memory.id, tok, rec: pack(record), etag: memory.etag, updated: memory.updateTime, ended };
}

/** A row for merge_memory in memory-library.lua: what a duplicate changes of a memory. */
export function mergeInput(namespaceId: string, memory: Memory, pack: PackRecord): MemoryInput {
  const changed = supersededInput(namespaceId, memory, pack);
  return { ...NO_MEMORY, ...changed, expire: memory.expireTime ?? "", user: memory.userId };
}

/** How the change feed spells that a memory has come to a state: see putKind and feed-library.lua. */
const MOVED: Readonly<Record<MemoryState, string>> = {
  ACTIVE: "R",
  SUPERSEDED: "S",
  ARCHIVED: "A",
  QUARANTINED: "U",
};

/** The fields of a row that put_memory in memory-library.lua reads. */
export const PUT_FIELDS = [...SUPERSEDED_FIELDS, "importance", "expire", "dup", "sameText", "moved"] as const;

export function putInput(
  namespaceId: string,
  memory: Memory,
  { pack, now }: { readonly pack: PackRecord; readonly now: number },
): Readonly<Record<(typeof PUT_FIELDS)[number], Argument>> {
  const { importance, expireTime, state } = memory;
  return {
    ...supersededInput(namespaceId, memory, pack),
    updated: putTime(memory, now),
    importance,
    expire: expireTime ?? "",
    dup: state === "ACTIVE" ? duplicateMember({ duplicateKey: duplicateKey(memory), memory }) : "",
    sameText: state === "ACTIVE" ? textKey(memory) : "",
    moved: MOVED[state],
  };
}

/** A memory without a vector is in the embedding queue; one whose text is refused is due when an operator retries it. */
export function pendingState({ memory, vector }: Replacement): "" | "PENDING" | "REFUSED" {
  if (vector !== undefined) return "";
  return memory.embedding.state === "REFUSED" ? "REFUSED" : "PENDING";
}

/** The item to write: without a vector of another model than `model`, in which case the memory is pending. */
export function ofThisModel<Item extends Replacement>(item: Item, model: Pick<VectorModel, "takes">): Item {
  const { embedding } = item.memory;
  if (embedding.state !== "READY" || model.takes(embedding)) return item;
  const { vector: _ofAnother, ...rest } = item;
  const memory = { ...item.memory, embedding: { ...embedding, state: "PENDING" as const } };
  return { ...rest, memory } as unknown as Item;
}

/** Shifts times to the year 1, so that their padded digits sort by time. */
const TIME_OFFSET = 10 ** 15;
const TIME_DIGITS = 16;

/** `<duplicate key>:<create time, padded>:<id>`; with the text key in front it is the member for recall loops. */
function duplicateMember({
  duplicateKey: key,
  memory,
}: Pick<Replacement, "duplicateKey" | "memory">): string {
  const time = String(memory.createTime + TIME_OFFSET).padStart(TIME_DIGITS, "0");
  return `${key}:${time}:${memory.id}`;
}

/** A row of row-library.lua. */
export interface MemoryRow {
  readonly id: string;
  readonly cached: CachedMemory;
  /** The stored statistics; absent: never accessed. */
  readonly access?: AccessStatistics;
  /** The additional requested fields. */
  readonly fields: readonly Reply[];
}

/** Stands for the missing record of an existing memory. */
const NOTHING = Buffer.alloc(0);

/**
 * Parses a row; undefined: the memory does not exist. Throws STORE_CORRUPT. `identity` is the model of all stored vectors;
 * `cached` is the memory whose record the script leaves out when its etag is still the same.
 */
export function readRow(
  reply: Reply | undefined,
  identity: EmbedderIdentity | undefined,
  cached?: CachedMemory,
): MemoryRow | undefined {
  if (reply === null || reply === undefined) return undefined;
  const [name, stored, position, embedding, accesses, lastAccess, ...fields] = listOf(reply);
  const id = textOf(name) ?? "";
  const access =
    textOf(accesses) === undefined
      ? undefined
      : { accessCount: numberOf(accesses), lastAccessTime: numberOf(lastAccess) };
  const beside = { position: numberOf(position), embedding: textOf(embedding) ?? "", identity };
  const before = stored === 1 ? cached : undefined;
  const memory = isBeside(before, beside)
    ? before
    : toCachedMemory(id, before ?? unpackStored(id, stored), beside);
  return { id, cached: memory, ...(access === undefined ? {} : { access }), fields };
}

type Beside = Pick<CachedMemory, "position" | "embedding" | "identity">;

function isBeside(
  cached: CachedMemory | undefined,
  { position, embedding, identity }: Beside,
): cached is CachedMemory {
  return cached?.position === position && cached.embedding === embedding && cached.identity === identity;
}

function toCachedMemory(
  id: string,
  { record, bytes }: Pick<CachedMemory, "record" | "bytes">,
  beside: Beside,
): CachedMemory {
  const embedding = unpackRecord<MemoryEmbedding>(Buffer.from(beside.embedding), `memory ${id}`);
  const memory = {
    ...record,
    sessionPosition: beside.position,
    embedding: withModel(embedding, beside.identity),
  };
  return { record, bytes, ...beside, memory };
}

function unpackStored(id: string, stored: Reply | undefined): Pick<CachedMemory, "record" | "bytes"> {
  const what = `memory ${id}`;
  const plain = plainRecord(bytesOf(stored) ?? NOTHING, what);
  return { record: unpackRecord(plain, what), bytes: plain.length };
}

/** Every stored vector is of the current model, also where the record was written with an earlier one. */
function withModel(embedding: MemoryEmbedding, identity: EmbedderIdentity | undefined): MemoryEmbedding {
  if (identity === undefined || embedding.state !== "READY") return embedding;
  const { provider, model, dimension } = identity;
  return { ...embedding, provider, model, dimension };
}

/** The memory with its access statistics, including pending counts. */
export function storedMemory(
  { cached: { memory }, access }: Pick<MemoryRow, "cached" | "access">,
  pending: AccessStatistics | undefined,
): StoredMemory {
  return withAccess(memory, pending === undefined ? access : sum(access, pending));
}
