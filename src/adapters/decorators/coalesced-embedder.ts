import { type BatchLimits, batchLength } from "../../domain/embedding/batches.ts";
import { EmbeddingFailure } from "../../domain/embedding/failure.ts";
import { abortable } from "../../lib/abort.ts";
import type { EmbeddedText, Embedder, Urgency } from "../../ports/embedding/embedder.ts";
import type { BatchEmbedder } from "./batch-embedder.ts";

export interface CoalesceOptions {
  readonly batch: BatchLimits;
  /** How long a batch is collected while other requests are in flight. */
  readonly windowMs: number;
  /** Most requests in flight, for each urgency. */
  readonly maxConcurrent: number;
}

/**
 * Batches the texts of concurrent callers, and requests the same text only once. With no request in flight, a batch is
 * sent by setImmediate, so that a single caller is not delayed.
 *
 * A caller's abort does not affect the other callers: queued texts without callers are dropped, and requests in flight go
 * on, because they are paid for and their outcome is used (the vector is cached, the breaker updated). Disposing it aborts
 * all.
 */
export function coalesced(embedder: BatchEmbedder, options: CoalesceOptions): Embedder & AsyncDisposable {
  const stopping = new AbortController();
  // Separate: a lookup in a batch of writes would have their timeout and retries.
  const lanes: Record<Urgency, Lane> = {
    WRITE: new Lane(embedder, options, "WRITE", stopping.signal),
    LOOKUP: new Lane(embedder, options, "LOOKUP", stopping.signal),
  };
  return {
    identity: embedder.identity,
    embed: (texts, signal, urgency = "WRITE") => lanes[urgency].embed(texts, signal),
    [Symbol.asyncDispose]: async () => {
      const { provider } = embedder.identity;
      stopping.abort(new EmbeddingFailure("STOPPING", "the server is stopping", { provider }));
      await Promise.all(Object.values(lanes).map((lane) => lane.close()));
    },
  };
}

/** A text requested by one or more callers. */
interface RequestedText {
  readonly text: string;
  readonly embedded: PromiseWithResolvers<EmbeddedText>;
  callers: number;
}

class Lane {
  readonly #embedder: BatchEmbedder;
  readonly #options: CoalesceOptions;
  readonly #urgency: Urgency;
  readonly #stopping: AbortSignal;
  /** By text, in order of arrival. */
  readonly #queued = new Map<string, RequestedText>();
  readonly #inFlight = new Map<string, RequestedText>();
  readonly #requests = new Set<Promise<void>>();
  #timer: NodeJS.Timeout | undefined;
  #immediate: NodeJS.Immediate | undefined;

  constructor(embedder: BatchEmbedder, options: CoalesceOptions, urgency: Urgency, stopping: AbortSignal) {
    this.#embedder = embedder;
    this.#options = options;
    this.#urgency = urgency;
    this.#stopping = stopping;
  }

  async embed(texts: readonly string[], signal: AbortSignal): Promise<EmbeddedText[]> {
    signal.throwIfAborted();
    this.#stopping.throwIfAborted();
    const requested = texts.map((text) => this.#enqueue(text));
    this.#schedule();
    try {
      return await abortable(Promise.all(requested.map(({ embedded }) => embedded.promise)), signal);
    } finally {
      for (const one of requested) {
        one.callers -= 1;
        if (one.callers === 0 && this.#queued.get(one.text) === one) this.#queued.delete(one.text);
      }
    }
  }

  /** Resolves when no request is in flight. To be called when `stopping` has aborted. */
  async close(): Promise<void> {
    this.#unschedule();
    for (const { embedded } of this.#queued.values()) embedded.reject(this.#stopping.reason);
    this.#queued.clear();
    await Promise.all(this.#requests);
  }

  #enqueue(text: string): RequestedText {
    const existing = this.#inFlight.get(text) ?? this.#queued.get(text);
    if (existing !== undefined) {
      existing.callers += 1;
      return existing;
    }
    const requested: RequestedText = { text, embedded: Promise.withResolvers(), callers: 1 };
    // Without callers a rejection would be unhandled.
    requested.embedded.promise.catch(() => undefined);
    this.#queued.set(text, requested);
    if (this.#queued.size >= this.#options.batch.maxTexts) this.#send();
    return requested;
  }

  #schedule(): void {
    if (this.#queued.size === 0 || this.#timer !== undefined || this.#immediate !== undefined) return;
    if (this.#requests.size === 0) this.#immediate = setImmediate(() => this.#send());
    else this.#timer = setTimeout(() => this.#send(), this.#options.windowMs);
  }

  #unschedule(): void {
    clearTimeout(this.#timer);
    clearImmediate(this.#immediate);
    this.#timer = undefined;
    this.#immediate = undefined;
  }

  #send(): void {
    this.#unschedule();
    while (this.#queued.size > 0 && this.#requests.size < this.#options.maxConcurrent) {
      const count = batchLength(this.#queued.keys(), this.#options.batch);
      const batch = [...this.#queued.values().take(count)];
      for (const requested of batch) {
        this.#queued.delete(requested.text);
        this.#inFlight.set(requested.text, requested);
      }
      const request = this.#request(batch).finally(() => {
        this.#requests.delete(request);
        if (!this.#stopping.aborted) this.#send();
      });
      this.#requests.add(request);
    }
  }

  async #request(batch: readonly RequestedText[]): Promise<void> {
    const texts = batch.map(({ text }) => text);
    try {
      const outcomes = await this.#embedder.embedEach(texts, this.#stopping, this.#urgency);
      for (const [index, { embedded }] of batch.entries()) {
        const outcome = outcomes[index];
        if (outcome?.status === "fulfilled") embedded.resolve(outcome.value);
        else embedded.reject(outcome?.reason ?? new TypeError("a text without an outcome"));
      }
    } catch (error) {
      for (const { embedded } of batch) embedded.reject(error);
    } finally {
      for (const { text } of batch) this.#inFlight.delete(text);
    }
  }
}
