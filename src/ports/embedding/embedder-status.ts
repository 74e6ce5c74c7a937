import type { Breaker } from "../../domain/embedding/breaker.ts";
import type { Embedder, Urgency } from "./embedder.ts";

/** An embedder with circuit breakers. */
export interface ObservedEmbedder extends Embedder {
  /** The breaker of each urgency. */
  status(): Readonly<Record<Urgency, Breaker>>;
}
