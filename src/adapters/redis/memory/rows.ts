import { vectorToBytes } from "../../../domain/embedding/vector.ts";
import { sum } from "../../../domain/memory/access-counts.ts";
import {
  type AccessStatistics,
  type Memory,
  type MemoryEmbedding,
  type StoredMemory,
  withAccess,
} from "../../../domain/memory/memory.ts";
import type { EmbedderIdentity } from "../../../ports/embedding/embedder.ts";
import type { Replacement } from "../../../ports/memory/writer.ts";
import type { Argument, Reply } from "../connection/client.ts";
import { bytesOf, listOf, numberOf, textOf } from "../connection/replies.ts";
import type { NamespaceKeys } from "../namespaces/keys.ts";
import { type PackRecord, plainRecord, unpackRecord } from "../namespaces/records.ts";
import type { KnownMemory } from "./memory-cache.ts";
import { encodeTerms } from "./terms.ts";
import { memoryTokens, tokenOf } from "./tokens.ts";

/** What lua/memory.lua takes as the keys of memories. */
export function memoryKeys(namespace: NamespaceKeys): string[] {
  const { partition } = namespace;
  return [
    partition.meta,
    namespace.counters,
    namespace.memory(""),
    namespace.order,
    namespace.duplicates,
    namespace.sizes,
    namespace.documentFrequencies,
    namespace.lastPositions,
    namespace.session(""),
    namespace.accessCounts,
    namespace.lastAccesses,
    partition.ending,
    partition.waiting,
    partition.waitingSince,
    partition.waitingAttempts,
    partition.reembeddingTodo,
  ];
}

/** What lua/memory.lua takes as a memory. */
export function memoryArguments(number: string, item: Replacement, pack: PackRecord): Argument[] {
  const { sessionPosition: _given, embedding, ...record } = item.memory;
  const { id, sessionId, createTime, eventTime, expireTime, importance, state, etag } = record;
  return [
    id,
    memoryTokens(number, item.memory).join(","),
    encodeTerms(item.terms),
    createTime,
    eventTime ?? "",
    importance,
    item.vector === undefined ? "" : Buffer.from(vectorToBytes(item.vector)),
    pack(record),
    JSON.stringify(embedding),
    etag,
    state === "ACTIVE" ? duplicateMember(item) : "",
    expireTime ?? "",
    sessionId === "" ? "" : tokenOf(number, "session", sessionId),
    waitsAs(item),
  ];
}

/** What merge_memory in lua/memory.lua takes: what a duplicate changes of a memory, and its id. */
export function mergeArguments(number: string, memory: Memory, pack: PackRecord): Argument[] {
  const { sessionPosition: _given, embedding: _beside, ...record } = memory;
  const { id, etag, expireTime } = record;
  return [id, memoryTokens(number, memory).join(","), pack(record), etag, expireTime ?? ""];
}

/** What is without a vector waits for one; where its text is refused, until somebody says that it is to be tried again. */
export function waitsAs({ memory, vector }: Replacement): "" | "PENDING" | "REFUSED" {
  if (vector !== undefined) return "";
  return memory.embedding.state === "REFUSED" ? "REFUSED" : "PENDING";
}

/** Times from the year 1 on, so that their digits are in the order of time. */
const TIME_OFFSET = 10 ** 15;
const TIME_DIGITS = 16;

/** `<duplicate key>:<create time, padded>:<id>`. */
function duplicateMember({ duplicateKey, memory }: Replacement): string {
  const time = String(memory.createTime + TIME_OFFSET).padStart(TIME_DIGITS, "0");
  return `${duplicateKey}:${time}:${memory.id}`;
}

/** What a row of lua/read-memory.lua says. */
export interface MemoryRow {
  readonly id: string;
  readonly known: KnownMemory;
  /** As stored; absent: never accessed. */
  readonly access?: AccessStatistics;
  /** What was asked for besides. */
  readonly fields: readonly Reply[];
}

/** A field that is missing of a memory that is there is no record. */
const NOTHING = Buffer.alloc(0);

/**
 * Undefined: it is not there. Throws STORE_CORRUPT. `identity` is that of all stored vectors; `held` is the memory whose
 * record Redis was told to leave out if it is still that.
 */
export function readRow(
  reply: Reply | undefined,
  identity: EmbedderIdentity | undefined,
  held?: KnownMemory,
): MemoryRow | undefined {
  if (reply === null || reply === undefined) return undefined;
  const [name, stored, position, embedding, accesses, lastAccess, ...fields] = listOf(reply);
  const id = textOf(name) ?? "";
  const access =
    textOf(accesses) === undefined
      ? undefined
      : { accessCount: numberOf(accesses), lastAccessTime: numberOf(lastAccess) };
  const beside = { position: numberOf(position), embedding: textOf(embedding) ?? "", identity };
  const before = stored === 1 ? held : undefined;
  const known = isBeside(before, beside)
    ? before
    : knownMemory(id, before ?? unpackStored(id, stored), beside);
  return { id, known, ...(access === undefined ? {} : { access }), fields };
}

type Beside = Pick<KnownMemory, "position" | "embedding" | "identity">;

function isBeside(
  known: KnownMemory | undefined,
  { position, embedding, identity }: Beside,
): known is KnownMemory {
  return known?.position === position && known.embedding === embedding && known.identity === identity;
}

function knownMemory(
  id: string,
  { record, bytes }: Pick<KnownMemory, "record" | "bytes">,
  beside: Beside,
): KnownMemory {
  const embedding = unpackRecord<MemoryEmbedding>(Buffer.from(beside.embedding), `memory ${id}`);
  const memory = {
    ...record,
    sessionPosition: beside.position,
    embedding: withModel(embedding, beside.identity),
  };
  return { record, bytes, ...beside, memory };
}

function unpackStored(id: string, stored: Reply | undefined): Pick<KnownMemory, "record" | "bytes"> {
  const what = `memory ${id}`;
  const plain = plainRecord(bytesOf(stored) ?? NOTHING, what);
  return { record: unpackRecord(plain, what), bytes: plain.length };
}

/** Every stored vector is of the one model, whatever was so when the record was written. */
function withModel(embedding: MemoryEmbedding, identity: EmbedderIdentity | undefined): MemoryEmbedding {
  if (identity === undefined || embedding.state !== "READY") return embedding;
  const { provider, model, dimension } = identity;
  return { ...embedding, provider, model, dimension };
}

/** With what was counted and is not stored yet. */
export function storedMemory(
  { known: { memory }, access }: Pick<MemoryRow, "known" | "access">,
  pending: AccessStatistics | undefined,
): StoredMemory {
  return withAccess(memory, pending === undefined ? access : sum(access, pending));
}
