/** Which model makes vectors; see EmbedderIdentity. */
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
 * A vector met a store whose vectors are of another model by now; it was compared with none. Whoever made it makes it
 * again with the embedder of now. Never reaches a caller.
 */
export class ModelChanged extends Error {
  override readonly name = "ModelChanged";

  constructor() {
    super("the stored vectors are of another model by now");
  }
}
