import type { EmbeddingFailureKind } from "./failure.ts";

/**
 * How the texts that wait for a vector are gone through. A provider that is down is asked less and less often, with one
 * text at a time: a batch that failed says nothing about any one of its texts. A text that failed alone is under
 * suspicion, and others go first; when it has failed on both sides of a success of others, it is known that it was the
 * text and not the provider, and it is put off by itself.
 */
export interface EmbeddingPace {
  /** Failures without a success in between. */
  readonly failures: number;
  /** Texts in the next batch, at most. */
  readonly batchSize: number;
}

/** More texts than this are no faster, and hold up others when they come back. */
export const MAX_BATCH_TEXTS = 64;

export const FIRST_PACE: EmbeddingPace = { failures: 0, batchSize: MAX_BATCH_TEXTS };

/** After a success the batches grow again. */
export function paceAfterSuccess({ batchSize }: EmbeddingPace): EmbeddingPace {
  return { failures: 0, batchSize: Math.min(MAX_BATCH_TEXTS, 2 * batchSize) };
}

export function paceAfterFailure({ failures }: EmbeddingPace): EmbeddingPace {
  return { failures: failures + 1, batchSize: 1 };
}

const FIRST_PAUSE_MS = 1000;
const MAX_PAUSE_MS = 60_000;

/**
 * How long nothing is asked after so many failures, 1 at least. `random` is 0 to below 1; half of the pause is left to
 * it, so that several servers do not come back together. What the provider asks for is granted up to the maximum.
 */
export function pauseAfter(failures: number, retryAfterMs: number, random: number): number {
  const ceiling = doubled(FIRST_PAUSE_MS, failures - 1, MAX_PAUSE_MS);
  return Math.max(Math.min(MAX_PAUSE_MS, retryAfterMs), jittered(ceiling, random));
}

const FIRST_DELAY_MS = 5000;
const MAX_DELAY_MS = 3600 * 1000;

/** How long one text is put off that failed while others did not, and was put off so often before. */
export function postponeDelay(attempts: number, random: number): number {
  return jittered(doubled(FIRST_DELAY_MS, attempts, MAX_DELAY_MS), random);
}

/** So often put off: an hour and a half with others that succeed. */
const MAX_POSTPONEMENTS = 10;
/** What may lie in the text; the others say something about the provider or the way to it. */
const MAY_BE_THE_TEXT: ReadonlySet<EmbeddingFailureKind> = new Set(["SERVER_ERROR", "MALFORMED", "TIMEOUT"]);

/** Whether a text that failed so again is put aside like one that is refused, for nothing says that it will succeed. */
export function shouldGiveUp(attempts: number, kind: EmbeddingFailureKind | undefined): boolean {
  return attempts >= MAX_POSTPONEMENTS && kind !== undefined && MAY_BE_THE_TEXT.has(kind);
}

function doubled(first: number, times: number, max: number): number {
  return Math.min(max, first * 2 ** Math.max(0, times));
}

function jittered(ceiling: number, random: number): number {
  return ceiling / 2 + (random * ceiling) / 2;
}
