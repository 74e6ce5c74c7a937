import type { Breaker } from "../../domain/embedding/breaker.ts";
import type { Embedder, Urgency } from "./embedder.ts";

/** An embedder that can say how it is. */
export interface ObservedEmbedder extends Embedder {
  /** Whether the provider is asked at present, for each urgency. */
  status(): Readonly<Record<Urgency, Breaker>>;
}
