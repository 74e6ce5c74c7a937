/** Which model makes the vectors. Vectors of two identities are never compared. */
export interface EmbedderIdentity {
  readonly provider: string;
  readonly model: string;
  /** Numbers in a vector. */
  readonly dimension: number;
}

export interface EmbeddedText {
  /** Of unit length. */
  readonly vector: Float32Array;
  /** The text was longer than the model reads; the vector is that of its beginning. */
  readonly truncated: boolean;
  /** The model that made it; absent: that of the embedder that was asked. */
  readonly identity?: EmbedderIdentity;
}

/**
 * How long to wait for a vector. WRITE: it is needed, so failures are retried, for half a minute.
 * LOOKUP: a caller waits and can do without, so there is one short attempt.
 */
export type Urgency = "WRITE" | "LOOKUP";

/** Makes vectors of texts: the same text gets the same vector, similar texts get near ones. */
export interface Embedder {
  /** Of the vectors that it makes now; `EmbeddedText.identity` takes precedence. */
  readonly identity: EmbedderIdentity;
  /**
   * One vector per text, in order; with urgency WRITE unless said. Rejects with the signal's reason when that aborts,
   * EMBEDDER_UNAVAILABLE when the provider does not answer (or not in a way that can be used), EMBEDDER_MISCONFIGURED
   * when it never will as things are set, EMBEDDER_REFUSED_TEXT when it does not take one of the texts, and
   * EMBEDDER_OVERLOADED when too many texts are queued already.
   */
  embed(texts: readonly string[], signal: AbortSignal, urgency?: Urgency): Promise<EmbeddedText[]>;
}
