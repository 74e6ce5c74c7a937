import { create, type DescMessage, type MessageShape, toBinary } from "@bufbuild/protobuf";
import { anyPack, durationFromMs } from "@bufbuild/protobuf/wkt";
import {
  BadRequestSchema,
  ErrorInfoSchema,
  ResourceInfoSchema,
  RetryInfoSchema,
} from "#gen/google/rpc/error_details_pb.js";
import { type Status as RpcStatus, StatusSchema } from "#gen/google/rpc/status_pb.js";
import type { ErrorReason } from "#gen/recollect/v1/error_reason_pb.js";
import { type Reason, RecollectError } from "../domain/errors.ts";

/** https://grpc.github.io/grpc/core/md_doc_statuscodes.html */
export const Code = {
  OK: 0,
  CANCELLED: 1,
  INVALID_ARGUMENT: 3,
  DEADLINE_EXCEEDED: 4,
  NOT_FOUND: 5,
  ALREADY_EXISTS: 6,
  PERMISSION_DENIED: 7,
  RESOURCE_EXHAUSTED: 8,
  FAILED_PRECONDITION: 9,
  ABORTED: 10,
  OUT_OF_RANGE: 11,
  UNIMPLEMENTED: 12,
  INTERNAL: 13,
  UNAVAILABLE: 14,
  DATA_LOSS: 15,
  UNAUTHENTICATED: 16,
} as const;
export type CodeName = keyof typeof Code;

/** The code of each reason; error_reason.proto documents the same codes. */
export const CODE_OF_REASON = {
  INTERNAL: "INTERNAL",
  METHOD_UNKNOWN: "UNIMPLEMENTED",
  METHOD_NOT_SERVED: "UNIMPLEMENTED",
  FIELD_NOT_SERVED: "UNIMPLEMENTED",
  REQUEST_MALFORMED: "INVALID_ARGUMENT",
  REQUEST_TOO_LARGE: "RESOURCE_EXHAUSTED",
  REQUEST_INVALID: "INVALID_ARGUMENT",
  DEADLINE_EXCEEDED: "DEADLINE_EXCEEDED",
  CALL_CANCELLED: "CANCELLED",
  SERVER_STOPPING: "UNAVAILABLE",
  STORE_UNAVAILABLE: "UNAVAILABLE",
  STORE_FULL: "RESOURCE_EXHAUSTED",
  STORE_CORRUPT: "DATA_LOSS",
  MEMORY_NOT_FOUND: "NOT_FOUND",
  MEMORY_ALREADY_EXISTS: "ALREADY_EXISTS",
  MEMORY_DUPLICATE: "ALREADY_EXISTS",
  MEMORY_NOT_ACTIVE: "FAILED_PRECONDITION",
  ETAG_MISMATCH: "ABORTED",
  PAGE_TOKEN_INVALID: "INVALID_ARGUMENT",
  VECTOR_DIMENSION_MISMATCH: "INVALID_ARGUMENT",
  VECTOR_INVALID: "INVALID_ARGUMENT",
  VECTOR_SEARCH_DISABLED: "FAILED_PRECONDITION",
  REQUEST_ID_REUSED: "INVALID_ARGUMENT",
  CACHE_DISABLED: "FAILED_PRECONDITION",
  DECISION_INVALID: "INVALID_ARGUMENT",
  CACHE_INVALIDATED: "FAILED_PRECONDITION",
  CREDENTIAL_INVALID: "UNAUTHENTICATED",
  ROLE_MISSING: "PERMISSION_DENIED",
  TOO_MANY_CALLS: "RESOURCE_EXHAUSTED",
  SERVER_OVERLOADED: "RESOURCE_EXHAUSTED",
  TOO_MANY_NAMESPACES: "RESOURCE_EXHAUSTED",
  EMBEDDER_UNAVAILABLE: "UNAVAILABLE",
  EMBEDDER_OVERLOADED: "RESOURCE_EXHAUSTED",
  EMBEDDER_MISCONFIGURED: "FAILED_PRECONDITION",
  EMBEDDER_REFUSED_TEXT: "INVALID_ARGUMENT",
  CACHE_ENTRY_NOT_FOUND: "NOT_FOUND",
  REEMBEDDING_NOT_FOUND: "NOT_FOUND",
  REEMBEDDING_CONFLICT: "FAILED_PRECONDITION",
  INDEX_REBUILD_RUNNING: "FAILED_PRECONDITION",
  FIELD_UNKNOWN: "INVALID_ARGUMENT",
  TOO_MANY_UNFINISHED_REQUESTS: "RESOURCE_EXHAUSTED",
  RECEIVE_TIMEOUT: "DEADLINE_EXCEEDED",
  GUARD_TOO_LOOSE: "INVALID_ARGUMENT",
  REVISION_NOT_FOUND: "NOT_FOUND",
  MEMORY_ALREADY_ACTIVE: "FAILED_PRECONDITION",
  CHANGES_LOST: "OUT_OF_RANGE",
  TOO_MANY_WATCHES: "RESOURCE_EXHAUSTED",
  SECRET_REFUSED: "INVALID_ARGUMENT",
  COMPACTION_NOT_FOUND: "NOT_FOUND",
  COMPACTION_RUNNING: "FAILED_PRECONDITION",
  COMPACTION_PLAN_EXPIRED: "FAILED_PRECONDITION",
  COMPACTION_NOT_AWAITING: "FAILED_PRECONDITION",
  COMPACTION_ENDED: "FAILED_PRECONDITION",
  COMPACTION_NOT_UNDOABLE: "FAILED_PRECONDITION",
} as const satisfies Record<Reason, CodeName> & Record<DeclaredReason, CodeName>;

/** The reasons in the proto; the table above does not compile when the two lists differ. */
type DeclaredReason = Exclude<keyof typeof ErrorReason, "UNSPECIFIED">;

const DOMAIN = "recollect";

/**
 * A status is sent in headers, its message twice, percent-encoded and in base64. Java and C++ clients refuse more than
 * 8 KiB of headers, and grpc-js closes the connection at 64 KiB: with these two limits, every status takes less than 8 KiB.
 */
const MAX_MESSAGE_BYTES = 1024;
const MAX_DETAIL_BYTES = 2304;
/** Limit of the metadata of ErrorInfo, and of the violations of BadRequest, within MAX_DETAIL_BYTES. */
const MAX_PART_BYTES = 1100;

/** One detail; each transport encodes it in its own way. */
export interface StatusDetail<Desc extends DescMessage = DescMessage> {
  readonly desc: Desc;
  readonly value: MessageShape<Desc>;
}

/** The status of a failed call. */
export interface Status {
  readonly code: CodeName;
  readonly reason: Reason;
  readonly message: string;
  readonly details: readonly StatusDetail[];
}

/**
 * The status of a thrown error. Anything but a RecollectError is a bug: its status is INTERNAL with the call id, under
 * which the log has the error.
 */
export function statusOf(error: unknown, callId: string): Status {
  if (!(error instanceof RecollectError))
    return makeStatus(new RecollectError("INTERNAL", "internal error", { metadata: { call_id: callId } }));
  let status = statuses.get(error);
  if (status === undefined) {
    status = makeStatus(error);
    statuses.set(error, status);
  }
  return status;
}

/** By error: one error object may refuse many calls (see refusals.ts), and its status is made once. */
const statuses = new WeakMap<RecollectError, Status>();

function makeStatus(error: RecollectError): Status {
  const { reason, detail } = error;
  return {
    code: CODE_OF_REASON[reason],
    reason,
    message: sendable(error.message),
    details: fitting([
      detailOf(ErrorInfoSchema, {
        reason,
        domain: DOMAIN,
        metadata: sendableMetadata(detail.metadata ?? {}),
      }),
      ...(detail.violations === undefined
        ? []
        : [
            detailOf(BadRequestSchema, {
              fieldViolations: within(
                detail.violations.map(({ field, description }) => ({
                  field: sendable(field),
                  description: sendable(description),
                  reason,
                })),
              ),
            }),
          ]),
      ...(detail.retryAfterMs === undefined
        ? []
        : [detailOf(RetryInfoSchema, { retryDelay: durationFromMs(Math.ceil(detail.retryAfterMs)) })]),
      ...(detail.resource === undefined
        ? []
        : [
            detailOf(ResourceInfoSchema, {
              resourceType: detail.resource.type,
              resourceName: sendable(detail.resource.name),
            }),
          ]),
    ]),
  };
}

/** The status as the message of the gRPC protocol that carries details. */
export function toRpcStatus(status: Status): RpcStatus {
  return create(StatusSchema, {
    code: Code[status.code],
    message: status.message,
    details: status.details.map(({ desc, value }) => anyPack(desc, value)),
  });
}

function detailOf<Desc extends DescMessage>(
  desc: Desc,
  value: Parameters<typeof create<Desc>>[1],
): StatusDetail {
  return { desc, value: create(desc, value) };
}

/** The first details, beginning with ErrorInfo, that fit into a header together. */
function fitting(details: readonly StatusDetail[]): StatusDetail[] {
  let bytes = 0;
  return details.filter(({ desc, value }) => {
    const size = toBinary(desc, value).length;
    if (bytes + size > MAX_DETAIL_BYTES) return false;
    bytes += size;
    return true;
  });
}

function sendableMetadata(metadata: Readonly<Record<string, string>>): Record<string, string> {
  return Object.fromEntries(within(Object.entries(metadata).map(([key, value]) => [key, sendable(value)])));
}

/** The first parts that fit into a detail together. */
function within<Part extends object>(parts: readonly Part[]): Part[] {
  let bytes = 0;
  return parts.filter((part) => {
    bytes += Object.values(part).reduce((sum: number, text: string) => sum + Buffer.byteLength(text) + 4, 0);
    return bytes <= MAX_PART_BYTES;
  });
}

const encoder = new TextEncoder();
const scratch = new Uint8Array(MAX_MESSAGE_BYTES);

/** The text as it can be sent: at most MAX_MESSAGE_BYTES, and without lone surrogates, which have no UTF-8. */
function sendable(text: string): string {
  const wellFormed = text.slice(0, MAX_MESSAGE_BYTES).toWellFormed();
  return wellFormed.slice(0, encoder.encodeInto(wellFormed, scratch).read);
}
