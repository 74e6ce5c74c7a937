import { type Reason, RecollectError } from "../errors.ts";

/** The kind of a failed embedding. It determines the reason for callers, and how retries, splitting and breaker treat it. */
export type EmbeddingFailureKind =
  /** The provider rejects the key (401, 403). */
  | "KEY_REFUSED"
  /** The provider does not support the configuration: no such model or path, a vector of another dimension. */
  | "MISCONFIGURED"
  /** The provider rejects the input (400, 413, 422), such as a text that is too long or a batch that is too large. */
  | "INPUT_REFUSED"
  /** The provider limits the rate (429). */
  | "RATE_LIMITED"
  /** The provider failed (5xx). */
  | "SERVER_ERROR"
  /** No connection, or a lost one. */
  | "CONNECTION"
  /** No answer in time. */
  | "TIMEOUT"
  /** A malformed answer: broken JSON, another count than that of the texts, values that are not numbers. */
  | "MALFORMED"
  /** Not sent: the circuit breaker is open. */
  | "BREAKER_OPEN"
  /** Not sent: the queue is full. */
  | "OVERLOADED"
  /** Not sent: the server is stopping. */
  | "STOPPING";

const REASONS: Readonly<Record<EmbeddingFailureKind, Reason>> = {
  KEY_REFUSED: "EMBEDDER_MISCONFIGURED",
  MISCONFIGURED: "EMBEDDER_MISCONFIGURED",
  INPUT_REFUSED: "EMBEDDER_REFUSED_TEXT",
  RATE_LIMITED: "EMBEDDER_UNAVAILABLE",
  SERVER_ERROR: "EMBEDDER_UNAVAILABLE",
  CONNECTION: "EMBEDDER_UNAVAILABLE",
  TIMEOUT: "EMBEDDER_UNAVAILABLE",
  MALFORMED: "EMBEDDER_UNAVAILABLE",
  BREAKER_OPEN: "EMBEDDER_UNAVAILABLE",
  OVERLOADED: "EMBEDDER_OVERLOADED",
  STOPPING: "EMBEDDER_UNAVAILABLE",
};

const RETRYABLE: ReadonlySet<EmbeddingFailureKind> = new Set([
  "RATE_LIMITED",
  "SERVER_ERROR",
  "CONNECTION",
  "TIMEOUT",
  "MALFORMED",
]);

/** A failed embedding. Its message never quotes the provider's answer, which may repeat the text. */
export class EmbeddingFailure extends RecollectError {
  readonly kind: EmbeddingFailureKind;
  /** Of the provider's answer, when there was one. */
  readonly status: number | undefined;
  /** The provider's error code, in letters, digits and `._-`. */
  readonly code: string | undefined;

  constructor(
    kind: EmbeddingFailureKind,
    message: string,
    detail: {
      readonly provider: string;
      readonly status?: number;
      readonly code?: string;
      readonly retryAfterMs?: number;
      readonly cause?: unknown;
    },
  ) {
    super(REASONS[kind], message, {
      metadata: {
        provider: detail.provider,
        cause: kind.toLowerCase(),
        ...(detail.status === undefined ? {} : { status: String(detail.status) }),
      },
      ...(detail.retryAfterMs === undefined ? {} : { retryAfterMs: detail.retryAfterMs }),
      ...(detail.cause === undefined ? {} : { cause: detail.cause }),
    });
    this.kind = kind;
    this.status = detail.status;
    this.code = detail.code;
  }
}

/** The kind of an EmbeddingFailure; undefined for other errors. */
export function failureKind(error: unknown): EmbeddingFailureKind | undefined {
  return error instanceof EmbeddingFailure ? error.kind : undefined;
}

/** Whether the same request may succeed later. */
export function isRetryable(kind: EmbeddingFailureKind): boolean {
  return RETRYABLE.has(kind);
}

/** Whether only another configuration can succeed. */
export function isMisconfiguration(kind: EmbeddingFailureKind): boolean {
  return kind === "KEY_REFUSED" || kind === "MISCONFIGURED";
}

const EMBEDDER_REASONS: ReadonlySet<Reason> = new Set(Object.values(REASONS));

/** Whether an error is a failure of the embedder, for callers that can go on without a vector. */
export function isEmbedderFailure(error: unknown): error is RecollectError {
  return error instanceof RecollectError && EMBEDDER_REASONS.has(error.reason);
}
