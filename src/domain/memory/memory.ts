import { digest } from "../../lib/digest.ts";
import { canonicalJson, type Json, type JsonObject } from "../../lib/json.ts";
import { foldCase } from "../text/case-folding.ts";

export type MemoryKind = "EPISODIC" | "SEMANTIC" | "PROCEDURAL" | "MESSAGE" | "SUMMARY";
export type MemoryState = "ACTIVE" | "SUPERSEDED" | "ARCHIVED" | "QUARANTINED";

/** How the vector of a memory was made, or why there is none. */
export interface MemoryEmbedding {
  readonly state: "READY" | "PENDING" | "REFUSED" | "DISABLED";
  readonly provider: string;
  readonly model: string;
  readonly dimension: number;
  readonly truncated: boolean;
  /** REFUSED: the provider's answer, see Refusal; absent where it was not stored. */
  readonly refusal?: string;
}

/**
 * A memory. Absent strings are empty; times are milliseconds since the epoch. memory.proto documents each field, with its
 * limits and default.
 */
export interface Memory {
  readonly id: string;
  readonly text: string;
  readonly kind: MemoryKind;
  readonly userId: string;
  readonly agentId: string;
  readonly sessionId: string;
  /** From 1 in the order of writing; 0 without a session. Assigned by the store, in the write itself. */
  readonly sessionPosition: number;
  readonly role: string;
  readonly author: string;
  readonly tags: readonly string[];
  readonly metadata: JsonObject;
  readonly importance: number;
  readonly pinned: boolean;
  readonly eventTime?: number;
  readonly validFrom?: number;
  readonly validUntil?: number;
  readonly expireTime?: number;
  readonly createTime: number;
  readonly updateTime: number;
  readonly state: MemoryState;
  /** Ids of the memories that this one replaces; absent when there are none. */
  readonly supersedes?: readonly string[];
  readonly supersededBy: string;
  readonly sourceIds: readonly string[];
  /** What write guards have found in it, such as `secret:jwt`, sorted; absent when nothing. */
  readonly flags?: readonly string[];
  readonly etag: string;
  readonly embedding: MemoryEmbedding;
}

/** How a memory has been used. Approximate; part of neither record nor etag. */
export interface AccessStatistics {
  readonly accessCount: number;
  readonly lastAccessTime: number;
}

/** A memory as a store returns it. */
export interface StoredMemory extends Memory {
  /** Absent: never accessed. */
  readonly access?: AccessStatistics;
}

/** A memory with its access statistics; the same object without any. */
export function withAccess(memory: Memory, access: AccessStatistics | undefined): StoredMemory {
  return access === undefined ? memory : { ...memory, access };
}

/** A memory without its access statistics. */
export function recordOf(memory: StoredMemory): Memory {
  if (memory.access === undefined) return memory;
  const { access: _, ...record } = memory;
  return record;
}

export const DEFAULT_IMPORTANCE = 0.5;

/**
 * The etag: a hash of the readable fields that can change. The session position, which the store assigns inside the write,
 * never changes, and the embedding follows from text and author, so neither is part of it.
 */
export function etagOf(memory: Omit<Memory, "etag" | "sessionPosition" | "embedding">): string {
  const record: Record<string, Json> = {
    id: memory.id,
    text: memory.text,
    kind: memory.kind,
    userId: memory.userId,
    agentId: memory.agentId,
    sessionId: memory.sessionId,
    role: memory.role,
    author: memory.author,
    tags: memory.tags,
    metadata: memory.metadata,
    importance: memory.importance,
    pinned: memory.pinned,
    eventTime: memory.eventTime ?? null,
    validFrom: memory.validFrom ?? null,
    validUntil: memory.validUntil ?? null,
    expireTime: memory.expireTime ?? null,
    createTime: memory.createTime,
    updateTime: memory.updateTime,
    state: memory.state,
    supersededBy: memory.supersededBy,
    sourceIds: memory.sourceIds,
    ...(memory.supersedes === undefined ? {} : { supersedes: memory.supersedes }),
    ...(memory.flags === undefined ? {} : { flags: memory.flags }),
  };
  return digest(canonicalJson(record)).slice(0, 32);
}

/** The text that is embedded and indexed: with its author, so that "what did Ann say" finds Ann's words. */
export function indexedText(memory: { readonly text: string; readonly author: string }): string {
  return memory.author === "" ? memory.text : `${memory.author}: ${memory.text}`;
}

/** Texts are the same after Unicode normalisation (NFC) and full case folding, with each run of white space as one space and none at the ends. */
export function normalisedText(text: string): string {
  return foldCase(text.normalize("NFC")).normalize("NFC").replaceAll(/\s+/gu, " ").trim();
}

/**
 * Two memories of a namespace with the same key are duplicates: their texts are the same once they are normalised, and the
 * other fields exactly. `text`: the normalised text.
 *
 * Stored keys of the earlier rule equal none of these: digests of another number of parts always differ.
 */
export function duplicateKey(memory: DuplicateFields, text = normalisedText(memory.text)): string {
  return digest(
    memory.userId,
    memory.agentId,
    memory.sessionId,
    memory.kind,
    memory.author,
    memory.role,
    String(memory.eventTime ?? ""),
    String(memory.validFrom ?? ""),
    String(memory.validUntil ?? ""),
    text,
  );
}

/**
 * Two memories of a namespace with the same key say the same about the same user, whoever stored them, where and when: see
 * recall-loop.ts. 32 hexadecimal digits. `text`: the normalised text.
 */
export function textKey(
  { userId, text: given }: Pick<Memory, "userId" | "text">,
  text = normalisedText(given),
): string {
  return digest(userId, text).slice(0, 32);
}

export type DuplicateFields = Pick<
  Memory,
  | "text"
  | "userId"
  | "agentId"
  | "sessionId"
  | "kind"
  | "author"
  | "role"
  | "eventTime"
  | "validFrom"
  | "validUntil"
>;

/** Whether the memory has expired at this time. */
export function isExpired(memory: { readonly expireTime?: number }, now: number): boolean {
  return memory.expireTime !== undefined && memory.expireTime <= now;
}

/**
 * When a memory ceased to be ACTIVE; undefined for an ACTIVE one. It is the update time, because history is not changed: see
 * docs/design/history.md.
 */
export function endedTime({ state, updateTime }: Pick<Memory, "state" | "updateTime">): number | undefined {
  return state === "ACTIVE" ? undefined : updateTime;
}

/** The state that a memory had at a time after its create time. */
export function stateAt(memory: Pick<Memory, "state" | "updateTime">, time: number): MemoryState {
  const ended = endedTime(memory);
  return ended === undefined || ended > time ? "ACTIVE" : memory.state;
}

/** Whether what a memory says holds at this time: valid_from <= time < valid_until. */
export function isValidAt(
  { validFrom, validUntil }: Pick<Memory, "validFrom" | "validUntil">,
  time: number,
): boolean {
  return (validFrom === undefined || validFrom <= time) && (validUntil === undefined || time < validUntil);
}

/** What to do when a duplicate exists. */
export type OnDuplicate = "RETURN_EXISTING" | "ALLOW" | "REFUSE";

/** Messages may repeat ("ok"); other kinds are stored once. */
export function defaultOnDuplicate(kind: MemoryKind): OnDuplicate {
  return kind === "MESSAGE" ? "ALLOW" : "RETURN_EXISTING";
}
