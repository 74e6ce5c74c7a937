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
  /** The text was longer than the model reads; the vector stands for its beginning. */
  readonly truncated: boolean;
  /** The model that made it; absent: that of the embedder that was asked. */
  readonly identity?: EmbedderIdentity;
}

/**
 * How much a vector is worth waiting for. WRITE: it is needed, so failures are tried again, for half a minute.
 * LOOKUP: somebody waits and can do without, so there is one attempt, and a short one.
 */
export type Urgency = "WRITE" | "LOOKUP";

/** Makes vectors of texts: the same text gets the same vector, similar texts get near ones. */
export interface Embedder {
  /** Of the vectors that it makes now; what each vector says of itself goes before. */
  readonly identity: EmbedderIdentity;
  /**
   * One vector per text, in order; with urgency WRITE unless said. Rejects with the signal's reason when that aborts,
   * EMBEDDER_UNAVAILABLE when the provider does not answer (or not in a way that can be used), EMBEDDER_MISCONFIGURED
   * when it never will as things are set, EMBEDDER_REFUSED_TEXT when it does not take one of the texts, and
   * EMBEDDER_OVERLOADED when too many texts wait already.
   */
  embed(texts: readonly string[], signal: AbortSignal, urgency?: Urgency): Promise<EmbeddedText[]>;
}
