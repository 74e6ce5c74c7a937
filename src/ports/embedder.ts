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
}

/** Makes vectors of texts: the same text gets the same vector, similar texts get near ones. */
export interface Embedder {
  readonly identity: EmbedderIdentity;
  /**
   * One vector per text, in order. Rejects with EMBEDDER_UNAVAILABLE when the provider does not answer, and with
   * the signal's reason when that aborts.
   */
  embed(texts: readonly string[], signal: AbortSignal): Promise<EmbeddedText[]>;
}
