import type { EmbeddingFailureKind } from "./failure.ts";

/**
 * The backoff of the worker that embeds pending memories. While the provider is down, requests become less frequent and
 * contain one text each: the failure of a batch does not tell which text caused it. A text that failed alone is skipped,
 * and others go first; when it failed both before and after a success of others, the cause is the text and not the
 * provider, and the text is postponed.
 */
export interface EmbeddingPace {
  /** Consecutive failures. */
  readonly failures: number;
  /** Most texts in the next batch. */
  readonly batchSize: number;
}

/** Larger batches are not faster, and writing their vectors delays other calls. */
export const MAX_BATCH_TEXTS = 64;

export const FIRST_PACE: EmbeddingPace = { failures: 0, batchSize: MAX_BATCH_TEXTS };

/** Batches grow again after a success. */
export function paceAfterSuccess({ batchSize }: EmbeddingPace): EmbeddingPace {
  return { failures: 0, batchSize: Math.min(MAX_BATCH_TEXTS, 2 * batchSize) };
}

export function paceAfterFailure({ failures }: EmbeddingPace): EmbeddingPace {
  return { failures: failures + 1, batchSize: 1 };
}

const FIRST_PAUSE_MS = 1000;
const MAX_PAUSE_MS = 60_000;

/**
 * The pause after so many consecutive failures (1 at least), in milliseconds. `random`, 0 to below 1, determines half of
 * it, so that several servers do not retry together. Retry-After is respected up to the maximum.
 */
export function pauseAfter(failures: number, retryAfterMs: number, random: number): number {
  const ceiling = doubled(FIRST_PAUSE_MS, failures - 1, MAX_PAUSE_MS);
  return Math.max(Math.min(MAX_PAUSE_MS, retryAfterMs), jittered(ceiling, random));
}

const FIRST_DELAY_MS = 5000;
const MAX_DELAY_MS = 3600 * 1000;

/** How long to postpone a text that failed while others succeeded, after so many earlier `attempts`; milliseconds. */
export function postponeDelay(attempts: number, random: number): number {
  return jittered(doubled(FIRST_DELAY_MS, attempts, MAX_DELAY_MS), random);
}

/** An hour and a half in all, during which other texts succeed. */
const MAX_POSTPONEMENTS = 10;
/** Failures that the text may cause; the others are failures of the provider or the connection. */
const TEXT_FAILURES: ReadonlySet<EmbeddingFailureKind> = new Set(["SERVER_ERROR", "MALFORMED", "TIMEOUT"]);

/** Whether a text with this failure, after so many postponements, is treated as a refused one. */
export function shouldGiveUp(attempts: number, kind: EmbeddingFailureKind | undefined): boolean {
  return attempts >= MAX_POSTPONEMENTS && kind !== undefined && TEXT_FAILURES.has(kind);
}

function doubled(first: number, times: number, max: number): number {
  return Math.min(max, first * 2 ** Math.max(0, times));
}

function jittered(ceiling: number, random: number): number {
  return ceiling / 2 + (random * ceiling) / 2;
}
