/**
 * The machine-readable reason of an error. proto/api/recollect/v1/error_reason.proto declares and explains each, with its
 * status and metadata; transport/status.ts maps each to its gRPC code.
 */
export type Reason =
  | "INTERNAL"
  | "METHOD_UNKNOWN"
  | "METHOD_NOT_SERVED"
  | "FIELD_NOT_SERVED"
  | "REQUEST_MALFORMED"
  | "REQUEST_TOO_LARGE"
  | "REQUEST_INVALID"
  | "DEADLINE_EXCEEDED"
  | "CALL_CANCELLED"
  | "SERVER_STOPPING"
  | "STORE_UNAVAILABLE"
  | "STORE_FULL"
  | "STORE_CORRUPT"
  | "MEMORY_NOT_FOUND"
  | "MEMORY_ALREADY_EXISTS"
  | "MEMORY_DUPLICATE"
  | "MEMORY_NOT_ACTIVE"
  | "ETAG_MISMATCH"
  | "PAGE_TOKEN_INVALID"
  | "VECTOR_DIMENSION_MISMATCH"
  | "VECTOR_INVALID"
  | "VECTOR_SEARCH_DISABLED"
  | "REQUEST_ID_REUSED"
  | "CACHE_DISABLED"
  | "DECISION_INVALID"
  | "CACHE_INVALIDATED"
  | "CREDENTIAL_INVALID"
  | "ROLE_MISSING"
  | "TOO_MANY_CALLS"
  | "SERVER_OVERLOADED"
  | "TOO_MANY_NAMESPACES"
  | "EMBEDDER_UNAVAILABLE"
  | "EMBEDDER_OVERLOADED"
  | "EMBEDDER_MISCONFIGURED"
  | "EMBEDDER_REFUSED_TEXT"
  | "CACHE_ENTRY_NOT_FOUND"
  | "REEMBEDDING_NOT_FOUND"
  | "REEMBEDDING_CONFLICT"
  | "INDEX_REBUILD_RUNNING"
  | "FIELD_UNKNOWN"
  | "TOO_MANY_UNFINISHED_REQUESTS"
  | "RECEIVE_TIMEOUT"
  | "GUARD_TOO_LOOSE"
  | "REVISION_NOT_FOUND"
  | "MEMORY_ALREADY_ACTIVE"
  | "CHANGES_LOST"
  | "TOO_MANY_WATCHES"
  | "SECRET_REFUSED"
  | "COMPACTION_NOT_FOUND"
  | "COMPACTION_RUNNING"
  | "COMPACTION_PLAN_EXPIRED"
  | "COMPACTION_NOT_AWAITING"
  | "COMPACTION_ENDED"
  | "COMPACTION_NOT_UNDOABLE";

/** A field that breaks a rule, named by its path in the request (`memory.tags[3]`). */
export interface FieldViolation {
  readonly field: string;
  readonly description: string;
}

export interface ErrorDetail {
  /** All numbers and names of the message, for programs. */
  readonly metadata?: Readonly<Record<string, string>>;
  readonly violations?: readonly FieldViolation[];
  /** The thing the error is about, such as {type: "memory", name: "m1"}. */
  readonly resource?: { readonly type: string; readonly name: string };
  /** When it is worth trying again, in milliseconds from now. */
  readonly retryAfterMs?: number;
  /** For the log only; never sent. */
  readonly cause?: unknown;
}

/** An error that callers receive. Any other thrown error is a bug and is answered with INTERNAL. */
export class RecollectError extends Error {
  override readonly name = "RecollectError";
  readonly reason: Reason;
  readonly detail: ErrorDetail;

  constructor(reason: Reason, message: string, detail: ErrorDetail = {}) {
    super(message, detail.cause === undefined ? undefined : { cause: detail.cause });
    this.reason = reason;
    this.detail = detail;
  }
}

/** The request breaks a rule that the schema cannot express. */
export function invalidField(field: string, description: string): RecollectError {
  return new RecollectError("REQUEST_INVALID", `${field}: ${description}`, {
    metadata: { fields: field },
    violations: [{ field, description }],
  });
}

export function memoryNotFound(namespace: string, id: string): RecollectError {
  return new RecollectError("MEMORY_NOT_FOUND", `no memory ${id} in namespace ${namespace}`, {
    metadata: { id, namespace },
    resource: { type: "memory", name: id },
  });
}

export function revisionNotFound(id: string, revision: number): RecollectError {
  return new RecollectError("REVISION_NOT_FOUND", `memory ${id} has no revision ${revision}, or no longer`, {
    metadata: { id, revision: String(revision) },
    resource: { type: "memory_revision", name: `${id}/${revision}` },
  });
}

/** A restore without a revision, of a memory whose present content counts. */
export function memoryAlreadyActive(id: string): RecollectError {
  return new RecollectError("MEMORY_ALREADY_ACTIVE", `memory ${id} is active: name the revision to restore`, {
    metadata: { id },
    resource: { type: "memory", name: id },
  });
}

export function cacheEntryNotFound(namespace: string, id: string): RecollectError {
  return new RecollectError("CACHE_ENTRY_NOT_FOUND", `no cache entry ${id} in namespace ${namespace}`, {
    metadata: { id, namespace },
    resource: { type: "cache_entry", name: id },
  });
}

export function memoryExists(namespace: string, id: string): RecollectError {
  return new RecollectError("MEMORY_ALREADY_EXISTS", `memory ${id} exists in namespace ${namespace}`, {
    metadata: { id, namespace },
    resource: { type: "memory", name: id },
  });
}

/** `id` is the stored memory with the same text. */
export function memoryDuplicate(namespace: string, id: string): RecollectError {
  return new RecollectError("MEMORY_DUPLICATE", `memory ${id} holds the same text`, {
    metadata: { existing_id: id, namespace },
    resource: { type: "memory", name: id },
  });
}

export function memoryChanged(id: string, currentEtag: string): RecollectError {
  return new RecollectError("ETAG_MISMATCH", `memory ${id} has changed`, {
    metadata: { id, current_etag: currentEtag },
    resource: { type: "memory", name: id },
  });
}

export function cacheEntryChanged(id: string, currentEtag: string): RecollectError {
  return new RecollectError("ETAG_MISMATCH", `cache entry ${id} has changed`, {
    metadata: { id, current_etag: currentEtag },
  });
}

export function cachePolicyChanged(currentEtag: string): RecollectError {
  return new RecollectError("ETAG_MISMATCH", "the cache policy has changed", {
    metadata: { current_etag: currentEtag },
  });
}

/** Both are strictnesses of the guard. */
export function guardTooLoose(asked: string, allowed: string): RecollectError {
  return new RecollectError(
    "GUARD_TOO_LOOSE",
    `the guard ${asked} is looser than ${allowed}, which applies here`,
    {
      metadata: { asked, allowed },
      violations: [{ field: "options.guard", description: `must not be looser than ${allowed}` }],
    },
  );
}

/** What looks like secrets, by the field and the name of its form; the error does not quote them. */
export function secretRefused(
  found: readonly { readonly field: string; readonly pattern: string }[],
): RecollectError {
  const { field, pattern } = found[0] ?? { field: "", pattern: "" };
  return new RecollectError("SECRET_REFUSED", `${field} contains what looks like a secret (${pattern})`, {
    metadata: { field, pattern },
    violations: found.map((one) => ({
      field: one.field,
      description: `contains what looks like a secret (${one.pattern})`,
    })),
  });
}

export function requestIdReused(): RecollectError {
  return new RecollectError("REQUEST_ID_REUSED", "this request_id was used for another request", {
    metadata: { field: "request_id" },
    violations: [{ field: "request_id", description: "was used for another request" }],
  });
}

export function tooManyNamespaces(limit: number): RecollectError {
  return new RecollectError("TOO_MANY_NAMESPACES", `a tenant has at most ${limit} namespaces`, {
    metadata: { limit: String(limit) },
  });
}

/** The embedding model changed at every retry. */
export function modelIsChanging(): RecollectError {
  return new RecollectError("STORE_UNAVAILABLE", "the model of the vectors is being changed", {
    retryAfterMs: 1000,
  });
}

/** RetryInfo of SERVER_STOPPING: another server, or this one after its restart. */
const RETRY_AFTER_STOP_MS = 1000;

export function serverStopping(): RecollectError {
  return new RecollectError("SERVER_STOPPING", "the server is stopping", {
    retryAfterMs: RETRY_AFTER_STOP_MS,
  });
}

export function deadlineExceeded(): RecollectError {
  return new RecollectError("DEADLINE_EXCEEDED", "the deadline has passed");
}

/** The work of a call would wait for so many milliseconds before it starts. */
export function serverOverloaded(estimatedWaitMs: number, retryAfterMs: number): RecollectError {
  return new RecollectError("SERVER_OVERLOADED", "the server has more work than it can do in time", {
    metadata: { estimated_wait_ms: String(estimatedWaitMs) },
    retryAfterMs,
  });
}

export function indexRebuildRunning(): RecollectError {
  return new RecollectError("INDEX_REBUILD_RUNNING", "the indexes are being rebuilt already");
}

/** `cause` is for programs; `id` is the conflicting re-embedding, if there is one. */
export function reembeddingConflict(cause: string, message: string, id?: string): RecollectError {
  return new RecollectError("REEMBEDDING_CONFLICT", message, {
    metadata: { cause, ...(id === undefined ? {} : { id }) },
  });
}

export function compactionNotFound(id: string): RecollectError {
  return new RecollectError("COMPACTION_NOT_FOUND", `no compaction ${id}`, {
    metadata: { id },
    resource: { type: "compaction", name: id },
  });
}

/** `id` is the run that overlaps. */
export function compactionRunning(id: string): RecollectError {
  return new RecollectError("COMPACTION_RUNNING", `compaction ${id} of an overlapping scope has not ended`, {
    metadata: { id },
    resource: { type: "compaction", name: id },
  });
}

export function compactionChanged(id: string, currentEtag: string): RecollectError {
  return new RecollectError("ETAG_MISMATCH", `compaction ${id} has changed`, {
    metadata: { id, current_etag: currentEtag },
    resource: { type: "compaction", name: id },
  });
}

/** An empty etag: the namespace has no policy. */
export function compactionPolicyChanged(currentEtag: string): RecollectError {
  return new RecollectError("ETAG_MISMATCH", "the compaction policy has changed", {
    metadata: { current_etag: currentEtag },
  });
}
