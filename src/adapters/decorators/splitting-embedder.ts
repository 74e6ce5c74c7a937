import { halves, shortened } from "../../domain/embedding/batches.ts";
import { EmbeddingFailure, failureKind } from "../../domain/embedding/failure.ts";
import type { EmbeddedText, Embedder, Urgency } from "../../ports/embedding/embedder.ts";
import { type BatchEmbedder, type EmbeddingOutcome, fulfilled, rejected } from "./batch-embedder.ts";

/** So many short texts refused, each alone and none accepted, and it is not the texts. */
const HOPELESS_AFTER = 2;

/**
 * Halves a batch that the provider refuses until what it refuses stands alone, and halves that text until it is
 * taken, marked as truncated. Only the provider knows how much it takes, in a request and in a text: limits are in
 * tokens of its own, and differ between servers of the same model.
 */
export function splitting(embedder: Embedder): BatchEmbedder {
  return {
    identity: embedder.identity,
    embedEach: (texts, signal, urgency) => new SplitRequest(embedder, signal, urgency).embed(texts, false),
  };
}

/** One batch, and what its parts have taught so far. */
class SplitRequest {
  readonly #embedder: Embedder;
  readonly #signal: AbortSignal;
  readonly #urgency: Urgency;
  #accepted = false;
  #refusedAlone = 0;
  /** Why the rest is not asked for any more. */
  #over: unknown;

  constructor(embedder: Embedder, signal: AbortSignal, urgency: Urgency) {
    this.#embedder = embedder;
    this.#signal = signal;
    this.#urgency = urgency;
  }

  async embed(texts: readonly string[], truncated: boolean): Promise<EmbeddingOutcome[]> {
    if (this.#over !== undefined) return texts.map(() => rejected(this.#over));
    let embedded: EmbeddedText[];
    try {
      embedded = await this.#embedder.embed(texts, this.#signal, this.#urgency);
    } catch (error) {
      if (failureKind(error) === "INPUT_REFUSED") return this.#refused(texts, truncated, error);
      this.#over = error;
      return texts.map(() => rejected(error));
    }
    this.#accepted = true;
    return embedded.map((one) => fulfilled(truncated ? { ...one, truncated } : one));
  }

  async #refused(texts: readonly string[], truncated: boolean, error: unknown): Promise<EmbeddingOutcome[]> {
    const [text] = texts;
    if (text === undefined) return [];
    if (texts.length > 1) {
      const [first, second] = halves(texts);
      return [...(await this.embed(first, truncated)), ...(await this.embed(second, truncated))];
    }
    const beginning = shortened(text);
    if (beginning !== undefined) return this.embed([beginning], true);
    this.#refusedAlone += 1;
    if (!this.#accepted && this.#refusedAlone >= HOPELESS_AFTER) {
      const { provider } = this.#embedder.identity;
      this.#over = new EmbeddingFailure("MISCONFIGURED", "the embedding provider refuses every text", {
        provider,
      });
    }
    return [rejected(error)];
  }
}
