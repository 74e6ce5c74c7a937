import type { Embedder } from "./embedder.ts";
import type { ObservedEmbedder } from "./embedder-status.ts";

/** An embedder and, when it asks a provider, how that is. */
export type OpenedEmbedder = Embedder & Partial<Pick<ObservedEmbedder, "status">>;

/**
 * The embedder of the whole server, which another one can take the place of while it runs. Every vector says which model
 * made it; `identity` is that of the one of now.
 */
export interface SwitchedEmbedder extends Embedder {
  /** Undefined: it asks nobody. */
  status(): ReturnType<ObservedEmbedder["status"]> | undefined;
  /** Calls from now on go to this one; those that are out end with the one that they began with. */
  switchTo(embedder: OpenedEmbedder): void;
}
