import type { Embedder } from "./embedder.ts";
import type { ObservedEmbedder } from "./embedder-status.ts";

/** An embedder; with `status` if it calls a provider. */
export type OpenedEmbedder = Embedder & Partial<Pick<ObservedEmbedder, "status">>;

/**
 * The embedder of the server, which can be replaced while it runs. Every EmbeddedText has an `identity`; that of the
 * embedder is the current model.
 */
export interface SwitchedEmbedder extends Embedder {
  /** Undefined: the current embedder calls no provider. */
  status(): ReturnType<ObservedEmbedder["status"]> | undefined;
  /** Later calls use `embedder`; running calls finish with the one they began with. */
  switchTo(embedder: OpenedEmbedder): void;
}
