import { EmbeddingFailure, type EmbeddingFailureKind } from "../../src/domain/embedding/failure.ts";
import type { EmbeddedText, Embedder, Urgency } from "../../src/ports/embedding/embedder.ts";
import type { EmbeddingMetrics } from "../../src/ports/metrics.ts";
import { unitVector } from "./builders.ts";

/** The outcome of one request: a response, none (until its signal aborts), or this failure. */
export type Step = "ok" | "hang" | EmbeddingFailureKind | EmbeddingFailure;

export interface ScriptedCall {
  readonly texts: readonly string[];
  readonly urgency: Urgency | undefined;
  readonly signal: AbortSignal;
  /** Answers a hanging request. */
  readonly release: () => void;
}

/** A provider with scripted outcomes that records its requests. */
export interface ScriptedEmbedder extends Embedder {
  readonly calls: readonly ScriptedCall[];
  /** Outcomes of the next requests, in order; later requests have the outcome of `always`, or are answered. */
  next(...steps: Step[]): void;
  always(step: Step): void;
}

export const SCRIPTED_DIMENSION = 4;

export function scriptedEmbedder(): ScriptedEmbedder {
  const calls: ScriptedCall[] = [];
  const planned: Step[] = [];
  let usual: Step = "ok";
  return {
    identity: { provider: "scripted", model: "m", dimension: SCRIPTED_DIMENSION },
    calls,
    next: (...steps) => void planned.push(...steps),
    always: (step) => {
      usual = step;
    },
    embed: async (texts, signal, urgency) => {
      signal.throwIfAborted();
      const released = Promise.withResolvers<void>();
      calls.push({ texts, urgency, signal, release: released.resolve });
      const step = planned.shift() ?? usual;
      if (step === "hang") {
        signal.addEventListener("abort", () => released.reject(signal.reason), { once: true });
        await released.promise;
      } else if (step !== "ok") {
        throw step instanceof EmbeddingFailure ? step : failure(step);
      }
      return texts.map(vectorOfText);
    },
  };
}

/** The vector of the scripted embedder for a text. */
export function vectorOfText(text: string): EmbeddedText {
  let seed = text.length;
  for (const character of text) seed = (Math.imul(seed, 31) + (character.codePointAt(0) ?? 0)) | 0;
  return { vector: unitVector(seed, SCRIPTED_DIMENSION), truncated: false };
}

export function failure(kind: EmbeddingFailureKind, retryAfterMs?: number): EmbeddingFailure {
  return new EmbeddingFailure(kind, `told to: ${kind}`, {
    provider: "scripted",
    ...(retryAfterMs === undefined ? {} : { retryAfterMs }),
  });
}

/** Metrics that record all calls. */
export function recordedMetrics(): EmbeddingMetrics & { readonly record: unknown[][] } {
  const record: unknown[][] = [];
  return {
    record,
    embeddingRequest: (outcome, texts) => void record.push(["request", outcome, texts]),
    embeddingTokens: (count) => void record.push(["tokens", count]),
    embeddingRetry: (cause) => void record.push(["retry", cause]),
    embeddingCache: (outcome, texts) => void record.push(["cache", outcome, texts]),
    embeddingBreaker: (urgency, state) => void record.push(["breaker", urgency, state]),
  };
}

/** A signal that never aborts. */
export function never(): AbortSignal {
  return new AbortController().signal;
}

/** The kind of the failure; undefined on success. Rethrows other errors. */
export async function kindOf(promise: Promise<unknown>): Promise<EmbeddingFailureKind | undefined> {
  try {
    await promise;
    return undefined;
  } catch (error) {
    if (error instanceof EmbeddingFailure) return error.kind;
    throw error;
  }
}
