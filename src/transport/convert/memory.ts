import { isFieldSet, type MessageInitShape } from "@bufbuild/protobuf";
import type { Timestamp } from "@bufbuild/protobuf/wkt";
import {
  type ListMemoryRevisionsResponse_RevisionSchema,
  Memory_Embedding_State,
  Memory_Kind,
  Memory_State,
  MemoryFilterSchema,
  type MemorySchema,
  type MemoryFilter as ProtoFilter,
  type Memory as ProtoMemory,
  OnDuplicate as ProtoOnDuplicate,
} from "#gen/recollect/v1/memory_pb.js";
import { invalidField } from "../../domain/errors.ts";
import type { MemoryDraft } from "../../domain/memory/draft.ts";
import { ACTIVE_ONLY, EVERY_STATE, type MemoryFilter, metadataTokens } from "../../domain/memory/filter.ts";
import type { ImportedDraft } from "../../domain/memory/imported-draft.ts";
import {
  DEFAULT_IMPORTANCE,
  type Memory,
  type MemoryKind,
  type MemoryState,
  type OnDuplicate,
  type StoredMemory,
} from "../../domain/memory/memory.ts";
import type { MemoryRevision, RevisedMemory } from "../../domain/memory/revision.ts";
import type { JsonObject } from "../../lib/json.ts";
import { MAX_JSON_BYTES } from "../bounds/limits.ts";
import {
  boundedJson,
  defined,
  fromMs,
  nonEmptyList,
  nonEmptyObject,
  nonEmptyText,
  toDurationMs,
  toMetadata,
  toMs,
} from "./common.ts";

/** The fields of a memory message. */
type MemoryFields = Exclude<MessageInitShape<typeof MemorySchema>, ProtoMemory>;

/** The draft of a request, with defaults. Throws REQUEST_INVALID for times out of range. */
export function toDraft(memory: ProtoMemory, path: string): MemoryDraft {
  const { expiration } = memory;
  return {
    id: memory.id,
    text: memory.text,
    kind: toKind(memory.kind) ?? "SEMANTIC",
    userId: memory.userId,
    agentId: memory.agentId,
    sessionId: memory.sessionId,
    role: memory.role,
    author: memory.author,
    tags: memory.tags,
    metadata: toMetadata(memory.metadata, `${path}.metadata`),
    // -0 is 0, as it is in what is stored.
    importance: (memory.importance ?? DEFAULT_IMPORTANCE) + 0,
    pinned: memory.pinned,
    sourceIds: memory.sourceIds,
    ...defined({
      eventTime: toMs(memory.eventTime, `${path}.event_time`),
      validFrom: toMs(memory.validFrom, `${path}.valid_from`),
      validUntil: toMs(memory.validUntil, `${path}.valid_until`),
      expireTime:
        expiration.case === "expireTime" ? toMs(expiration.value, `${path}.expire_time`) : undefined,
      ttlMs: expiration.case === "ttl" ? toDurationMs(expiration.value) : undefined,
      supersedes: nonEmptyList(memory.supersedes),
    }),
  };
}

/** The draft of an exported memory, with its output-only fields. Throws REQUEST_INVALID as toDraft does. */
export function toImportedDraft(memory: ProtoMemory, path: string): ImportedDraft {
  const state = memory.state === Memory_State.UNSPECIFIED ? "ACTIVE" : toState(memory.state);
  if (state === undefined) throw invalidField(`${path}.state`, "is an unknown state");
  return {
    ...toDraft(memory, path),
    state,
    supersededBy: memory.supersededBy,
    sessionPosition: memory.sessionPosition,
    ...defined({
      flags: nonEmptyList(memory.flags),
      createTime: toMs(memory.createTime, `${path}.create_time`),
      updateTime: toMs(memory.updateTime, `${path}.update_time`),
    }),
  };
}

/** A memory with its namespace and embedding. */
export function fromMemory(memory: Memory, namespace: string): MemoryFields {
  return {
    ...exportedMemory(memory),
    namespace,
    embedding: {
      state: Memory_Embedding_State[memory.embedding.state],
      provider: memory.embedding.provider,
      model: memory.embedding.model,
      dimension: memory.embedding.dimension,
      truncated: memory.embedding.truncated,
      refusal: memory.embedding.refusal ?? "",
    },
  };
}

/** The exported fields of a memory: equal content gives equal bytes, on every server. */
export function exportedMemory(memory: RevisedMemory): MemoryFields {
  return {
    id: memory.id,
    text: memory.text,
    kind: Memory_Kind[memory.kind],
    userId: memory.userId,
    agentId: memory.agentId,
    sessionId: memory.sessionId,
    sessionPosition: memory.sessionPosition,
    role: memory.role,
    author: memory.author,
    tags: [...memory.tags],
    importance: memory.importance,
    pinned: memory.pinned,
    state: Memory_State[memory.state],
    supersededBy: memory.supersededBy,
    sourceIds: [...memory.sourceIds],
    etag: memory.etag,
    supersedes: [...(memory.supersedes ?? [])],
    flags: [...(memory.flags ?? [])],
    ...defined({
      metadata: nonEmptyObject(memory.metadata),
      eventTime: fromMs(memory.eventTime),
      validFrom: fromMs(memory.validFrom),
      validUntil: fromMs(memory.validUntil),
      createTime: fromMs(memory.createTime),
      updateTime: fromMs(memory.updateTime),
      expiration:
        memory.expireTime === undefined
          ? undefined
          : { case: "expireTime" as const, value: fromMs(memory.expireTime) ?? {} },
    }),
  };
}

/** A memory with its access statistics. */
export function fromStoredMemory(
  memory: StoredMemory,
  namespace: string,
): MessageInitShape<typeof MemorySchema> {
  return {
    ...fromMemory(memory, namespace),
    accessCount: BigInt(memory.access?.accessCount ?? 0),
    ...defined({ lastAccessTime: fromMs(memory.access?.lastAccessTime) }),
  };
}

export function fromRevision(
  { number, replaceTime, memory }: MemoryRevision,
  namespace: string,
): MessageInitShape<typeof ListMemoryRevisionsResponse_RevisionSchema> {
  return {
    number,
    memory: { ...exportedMemory(memory), namespace },
    ...defined({ replaceTime: fromMs(replaceTime) }),
  };
}

const MAX_METADATA_SCALARS = 16;

/**
 * `defaultStates` are those of a filter without states. Throws REQUEST_INVALID for times out of range and for metadata
 * that does not consist of scalars.
 */
export function toFilter(filter: ProtoFilter | undefined, defaultStates = ACTIVE_ONLY.states): MemoryFilter {
  if (filter === undefined) return { states: defaultStates };
  const range = (span: ProtoFilter["createTime"], name: string): MemoryFilter["createTime"] => {
    if (span === undefined) return undefined;
    const made = defined({
      start: toMs(span.start, `filter.${name}.start`),
      end: toMs(span.end, `filter.${name}.end`),
    });
    return conditionOf(made, `filter.${name}`);
  };
  const states = filter.states.flatMap((state) => toState(state) ?? []);
  return {
    states: states.length === 0 ? defaultStates : states,
    ...defined({
      userId: nonEmptyText(filter.userId),
      agentId: nonEmptyText(filter.agentId),
      sessionId: nonEmptyText(filter.sessionId),
      author: nonEmptyText(filter.author),
      kinds: nonEmptyList(filter.kinds.flatMap((kind) => toKind(kind) ?? [])),
      tagsAny: nonEmptyList(filter.tagsAny),
      tagsAll: nonEmptyList(filter.tagsAll),
      tagsNone: nonEmptyList(filter.tagsNone),
      metadata: toMetadataTokens(filter.metadata),
      createTime: range(filter.createTime, "create_time"),
      eventTime: range(filter.eventTime, "event_time"),
      lastAccessTime: range(filter.lastAccessTime, "last_access_time"),
      importance:
        filter.importance === undefined
          ? undefined
          : conditionOf(
              defined({ min: filter.importance.min, max: filter.importance.max }),
              "filter.importance",
            ),
      pinned: filter.pinned,
    }),
  };
}

/** The filter of a read as of a time; without one, as of now. Any time may be asked for, also one to come. */
export function toFilterAsOf(filter: ProtoFilter | undefined, asOf: Timestamp | undefined): MemoryFilter {
  return { ...toFilter(filter), ...defined({ asOf: toMs(asOf, "as_of") }) };
}

/** Throws REQUEST_INVALID for an empty condition. */
function conditionOf<T extends object>(condition: T, path: string): T {
  if (Object.keys(condition).length === 0) throw invalidField(path, "is empty");
  return condition;
}

/**
 * The filter of a purge, which erases history too: without states it matches memories in every state. Throws REQUEST_INVALID
 * for one without a condition: it would empty the namespace, which is for DeleteNamespace.
 */
export function toFilterOfPurge(filter: ProtoFilter | undefined): MemoryFilter {
  if (filter === undefined || !MemoryFilterSchema.fields.some((field) => isFieldSet(filter, field))) {
    throw invalidField("filter", "has no condition: set at least one; DeleteNamespace empties a namespace");
  }
  return toFilter(filter, EVERY_STATE.states);
}

function toMetadataTokens(metadata: ProtoFilter["metadata"]): readonly string[] | undefined {
  if (metadata === undefined) return undefined;
  const wanted = boundedJson(
    toMetadata(metadata, "filter.metadata") as ProtoFilter["metadata"],
    "filter.metadata",
    MAX_JSON_BYTES["recollect.v1.MemoryFilter.metadata"],
  );
  refuseEmpty(wanted, "filter.metadata");
  const tokens = metadataTokens(wanted);
  if (tokens.length > MAX_METADATA_SCALARS) {
    throw invalidField(
      "filter.metadata",
      `has ${tokens.length} scalars; at most ${MAX_METADATA_SCALARS} are allowed`,
    );
  }
  return nonEmptyList(tokens);
}

/** Throws REQUEST_INVALID for lists, which cannot be compared, and for empty objects. */
function refuseEmpty(value: JsonObject, path: string): void {
  const entries = Object.entries(value);
  if (entries.length === 0) throw invalidField(path, "is empty");
  for (const [key, child] of entries) {
    if (Array.isArray(child)) throw invalidField(`${path}.${key}`, "lists cannot be compared");
    if (child !== null && typeof child === "object") refuseEmpty(child as JsonObject, `${path}.${key}`);
  }
}

export function toOnDuplicate(value: ProtoOnDuplicate): OnDuplicate | undefined {
  switch (value) {
    case ProtoOnDuplicate.UNSPECIFIED:
      return undefined;
    case ProtoOnDuplicate.RETURN_EXISTING:
      return "RETURN_EXISTING";
    case ProtoOnDuplicate.ALLOW:
      return "ALLOW";
    case ProtoOnDuplicate.REFUSE:
      return "REFUSE";
  }
}

function toKind(kind: Memory_Kind): MemoryKind | undefined {
  switch (kind) {
    case Memory_Kind.UNSPECIFIED:
      return undefined;
    case Memory_Kind.EPISODIC:
      return "EPISODIC";
    case Memory_Kind.SEMANTIC:
      return "SEMANTIC";
    case Memory_Kind.PROCEDURAL:
      return "PROCEDURAL";
    case Memory_Kind.MESSAGE:
      return "MESSAGE";
    case Memory_Kind.SUMMARY:
      return "SUMMARY";
  }
}

function toState(state: Memory_State): MemoryState | undefined {
  switch (state) {
    case Memory_State.UNSPECIFIED:
      return undefined;
    case Memory_State.ACTIVE:
      return "ACTIVE";
    case Memory_State.SUPERSEDED:
      return "SUPERSEDED";
    case Memory_State.ARCHIVED:
      return "ARCHIVED";
    case Memory_State.QUARANTINED:
      return "QUARANTINED";
  }
}
