import { type Reason, RecollectError } from "../errors.ts";

/** How an embedding failed; each has one reason for callers and one treatment by retries, splitting and breaker. */
export type EmbeddingFailureKind =
  /** The provider does not know the key, or does not let it in (401, 403). */
  | "KEY_REFUSED"
  /** The provider cannot serve what is configured: no such model or path, a vector of another dimension. */
  | "MISCONFIGURED"
  /** The provider does not take this input (400, 413, 422): too long, too many, or not to its liking. */
  | "INPUT_REFUSED"
  /** The provider asks to slow down (429). */
  | "RATE_LIMITED"
  /** The provider failed (5xx). */
  | "SERVER_ERROR"
  /** No connection, or one that broke. */
  | "CONNECTION"
  /** No answer in time. */
  | "TIMEOUT"
  /** An answer that cannot be read: broken JSON, a count that is not that of the texts, values that are no numbers. */
  | "MALFORMED"
  /** Not asked, because it has failed so often just now. */
  | "BREAKER_OPEN"
  /** Not asked, because too many texts wait already. */
  | "OVERLOADED"
  /** Not asked any more: the server stops. */
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

/** Why a provider gave no vectors. Its message never holds what the provider said: that may repeat the text. */
export class EmbeddingFailure extends RecollectError {
  readonly kind: EmbeddingFailureKind;
  /** Of the provider's answer, when there was one. */
  readonly status: number | undefined;
  /** The provider's name for what is wrong, in letters, digits and `._-`. */
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

/** The failure's kind; undefined for anything that is none. */
export function failureKind(error: unknown): EmbeddingFailureKind | undefined {
  return error instanceof EmbeddingFailure ? error.kind : undefined;
}

/** Whether the very same request may succeed a little later. */
export function isRetryable(kind: EmbeddingFailureKind): boolean {
  return RETRYABLE.has(kind);
}

/** Whether nothing but another configuration helps. */
export function isMisconfiguration(kind: EmbeddingFailureKind): boolean {
  return kind === "KEY_REFUSED" || kind === "MISCONFIGURED";
}

const EMBEDDER_REASONS: ReadonlySet<Reason> = new Set(Object.values(REASONS));

/** Whether there is no vector because of the embedder, for callers that can do without one. */
export function isEmbedderFailure(error: unknown): error is RecollectError {
  return error instanceof RecollectError && EMBEDDER_REASONS.has(error.reason);
}
