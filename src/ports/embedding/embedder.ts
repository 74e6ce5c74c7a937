/** The model of vectors. Vectors of different identities are never compared. */
export interface EmbedderIdentity {
  readonly provider: string;
  readonly model: string;
  /** Numbers in a vector. */
  readonly dimension: number;
}

export interface EmbeddedText {
  /** Of unit length. */
  readonly vector: Float32Array;
  /** The text was longer than the model supports; the vector is that of its beginning. */
  readonly truncated: boolean;
  /** The model that made it; absent: that of the embedder. */
  readonly identity?: EmbedderIdentity;
}

/**
 * The timeout and retries of an embedding. WRITE: the vector is required, so failures are retried, for half a minute.
 * LOOKUP: interactive and optional, so there is one short attempt.
 */
export type Urgency = "WRITE" | "LOOKUP";

/** Makes vectors of texts: the same text gets the same vector, similar texts get near ones. */
export interface Embedder {
  /** The current model; `EmbeddedText.identity` takes precedence. */
  readonly identity: EmbedderIdentity;
  /**
   * One vector per text, in order; default urgency: WRITE. Rejects with the signal's reason when that aborts,
   * EMBEDDER_UNAVAILABLE when the provider gives no valid answer, EMBEDDER_MISCONFIGURED when it rejects the configuration,
   * EMBEDDER_REFUSED_TEXT when it refuses one of the texts, and EMBEDDER_OVERLOADED when too many texts are queued.
   */
  embed(texts: readonly string[], signal: AbortSignal, urgency?: Urgency): Promise<EmbeddedText[]>;
}
