/** The model of vectors; see EmbedderIdentity. */
export interface Identity {
  readonly provider: string;
  readonly model: string;
  readonly dimension: number;
}

/** Whether vectors of the two may be compared. */
export function sameModel(a: Identity, b: Identity): boolean {
  return a.provider === b.provider && a.model === b.model && a.dimension === b.dimension;
}

/**
 * The stored vectors are of another model than the vector of the query, because of a re-embedding. Handled inside the
 * server: the text is embedded again with the current embedder.
 */
export class ModelChanged extends Error {
  override readonly name = "ModelChanged";

  constructor() {
    super("the stored vectors are of another model");
  }
}
