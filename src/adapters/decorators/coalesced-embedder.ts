import { type BatchLimits, batchLength } from "../../domain/embedding/batches.ts";
import { EmbeddingFailure } from "../../domain/embedding/failure.ts";
import { abortable } from "../../lib/abort.ts";
import type { EmbeddedText, Embedder, Urgency } from "../../ports/embedding/embedder.ts";
import type { BatchEmbedder } from "./batch-embedder.ts";

export interface CoalesceOptions {
  readonly batch: BatchLimits;
  /** While requests are out, others wait so long for company. */
  readonly windowMs: number;
  /** Requests that may be out at once, for each urgency. */
  readonly maxConcurrent: number;
}

/**
 * Puts the texts of concurrent callers into common batches, and asks once for a text that several wait for. With
 * nothing out, a batch is sent by setImmediate, so that a single caller waits for no other.
 *
 * A caller who aborts leaves the others alone: what is still waiting for nobody is dropped, and what is out already
 * goes on, because it is paid for and its outcome is worth knowing (the answer is kept, the breaker learns).
 * Disposing it aborts all.
 */
export function coalesced(embedder: BatchEmbedder, options: CoalesceOptions): Embedder & AsyncDisposable {
  const stopping = new AbortController();
  // Apart: a lookup that came with a bulk of writes would wait as long as they do, and be tried as often.
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
      await Promise.all(Object.values(lanes).map((lane) => lane.ended()));
    },
  };
}

/** A text that one or more callers wait for. */
interface Wanted {
  readonly text: string;
  readonly embedded: PromiseWithResolvers<EmbeddedText>;
  callers: number;
}

class Lane {
  readonly #embedder: BatchEmbedder;
  readonly #options: CoalesceOptions;
  readonly #urgency: Urgency;
  readonly #stopping: AbortSignal;
  /** By text, in the order of asking. */
  readonly #queued = new Map<string, Wanted>();
  readonly #out = new Map<string, Wanted>();
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
    const wanted = texts.map((text) => this.#want(text));
    this.#schedule();
    try {
      return await abortable(Promise.all(wanted.map(({ embedded }) => embedded.promise)), signal);
    } finally {
      for (const one of wanted) {
        one.callers -= 1;
        if (one.callers === 0 && this.#queued.get(one.text) === one) this.#queued.delete(one.text);
      }
    }
  }

  /** Resolves when nothing is out any more. To be called when `stopping` has aborted. */
  async ended(): Promise<void> {
    this.#unschedule();
    for (const { embedded } of this.#queued.values()) embedded.reject(this.#stopping.reason);
    this.#queued.clear();
    await Promise.all(this.#requests);
  }

  #want(text: string): Wanted {
    const there = this.#out.get(text) ?? this.#queued.get(text);
    if (there !== undefined) {
      there.callers += 1;
      return there;
    }
    const wanted: Wanted = { text, embedded: Promise.withResolvers(), callers: 1 };
    // Those who wait are told; when all of them are gone, nobody needs to be.
    wanted.embedded.promise.catch(() => undefined);
    this.#queued.set(text, wanted);
    if (this.#queued.size >= this.#options.batch.maxTexts) this.#send();
    return wanted;
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
      for (const wanted of batch) {
        this.#queued.delete(wanted.text);
        this.#out.set(wanted.text, wanted);
      }
      const request = this.#request(batch).finally(() => {
        this.#requests.delete(request);
        if (!this.#stopping.aborted) this.#send();
      });
      this.#requests.add(request);
    }
  }

  async #request(batch: readonly Wanted[]): Promise<void> {
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
      for (const { text } of batch) this.#out.delete(text);
    }
  }
}
