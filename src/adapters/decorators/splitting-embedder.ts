import { halves, shortened } from "../../domain/embedding/batches.ts";
import { EmbeddingFailure, failureKind } from "../../domain/embedding/failure.ts";
import type { EmbeddedText, Embedder, Urgency } from "../../ports/embedding/embedder.ts";
import { type BatchEmbedder, type EmbeddingOutcome, fulfilled, rejected } from "./batch-embedder.ts";

/** After so many refused short texts, each in a request of its own, and none accepted, the provider is misconfigured. */
const MISCONFIGURED_AFTER = 2;

/**
 * Halves a refused batch until the refused texts are alone, and halves such a text until it is accepted, marked as
 * truncated. Only the provider knows its limits for a request and a text: they are in tokens of its tokenizer, and differ
 * between servers of the same model.
 */
export function splitting(embedder: Embedder): BatchEmbedder {
  return {
    identity: embedder.identity,
    embedEach: (texts, signal, urgency) => new SplitRequest(embedder, signal, urgency).embed(texts, false),
  };
}

/** The requests for one batch. */
class SplitRequest {
  readonly #embedder: Embedder;
  readonly #signal: AbortSignal;
  readonly #urgency: Urgency;
  #hasAccepted = false;
  #refusedAlone = 0;
  /** The failure of the batch; no further requests are sent after it. */
  #failure: unknown;

  constructor(embedder: Embedder, signal: AbortSignal, urgency: Urgency) {
    this.#embedder = embedder;
    this.#signal = signal;
    this.#urgency = urgency;
  }

  async embed(texts: readonly string[], truncated: boolean): Promise<EmbeddingOutcome[]> {
    if (this.#failure !== undefined) return texts.map(() => rejected(this.#failure));
    let embedded: EmbeddedText[];
    try {
      embedded = await this.#embedder.embed(texts, this.#signal, this.#urgency);
    } catch (error) {
      if (failureKind(error) === "INPUT_REFUSED") return this.#refused(texts, truncated, error);
      this.#failure = error;
      return texts.map(() => rejected(error));
    }
    this.#hasAccepted = true;
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
    if (!this.#hasAccepted && this.#refusedAlone >= MISCONFIGURED_AFTER) {
      const { provider } = this.#embedder.identity;
      this.#failure = new EmbeddingFailure("MISCONFIGURED", "the embedding provider refuses every text", {
        provider,
      });
    }
    return [rejected(error)];
  }
}
