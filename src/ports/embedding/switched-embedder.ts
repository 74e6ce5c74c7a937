import type { Embedder } from "./embedder.ts";
import type { ObservedEmbedder } from "./embedder-status.ts";

/** An embedder and, when it calls a provider, the state of that. */
export type OpenedEmbedder = Embedder & Partial<Pick<ObservedEmbedder, "status">>;

/**
 * The embedder of the whole server, which can be replaced while it runs. Every vector says which model made it;
 * `identity` is that of the current one.
 */
export interface SwitchedEmbedder extends Embedder {
  /** Undefined: it asks no provider. */
  status(): ReturnType<ObservedEmbedder["status"]> | undefined;
  /** Calls from now on go to this one; calls under way end with the one that they began with. */
  switchTo(embedder: OpenedEmbedder): void;
}
