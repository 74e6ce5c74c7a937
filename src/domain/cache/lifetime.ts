import type { Volatility } from "./volatility.ts";

const MINUTE = 60_000;

/** The share of the base TTL, and the longest life in milliseconds, of answers to volatile prompts. */
const BY_VOLATILITY: Readonly<
  Record<Exclude<Volatility, "LIVE">, { readonly share: number; readonly longest: number }>
> = {
  DAILY: { share: 1 / 12, longest: 5 * MINUTE },
  RECENT: { share: 1 / 4, longest: 60 * MINUTE },
  STABLE: { share: 1, longest: Infinity },
};

/** An answer lives up to this share shorter, so that those of one moment do not expire together. */
export const JITTER = 0.1;
/** From this share of its life on, an answer is due for a refresh. */
export const REFRESH_FROM = 0.9;
/** Shorter lives have no refresh. */
const SHORTEST_WITH_REFRESH = 10_000;
const SHORTEST = 1000;

export const MIN_CONFIDENCE = 1 / 4;
export const MAX_CONFIDENCE = 4;

export interface LifetimeInput {
  /** CACHE_DEFAULT_TTL, milliseconds. */
  readonly baseMs: number;
  /** The absolute bound of the age of an answer, milliseconds. */
  readonly maxAgeMs: number;
  readonly volatility: Exclude<Volatility, "LIVE">;
  /** See confidenceAfter. */
  readonly confidence: number;
  /** In [0, 1), unrelated between entries. */
  readonly jitter: number;
}

/** Milliseconds after the answer was stored. */
export interface Lifetime {
  readonly expiresAfter: number;
  /** Absent: it is never due before it expires. */
  readonly dueAfter?: number;
}

/**
 * How long an answer is served: base * share by volatility * confidence, up to 10 % less by jitter, between 1 second and
 * `maxAgeMs`. In the last tenth of its life it is due: one caller refreshes it, the others are served the old one.
 */
export function lifetimeOf({ baseMs, maxAgeMs, volatility, confidence, jitter }: LifetimeInput): Lifetime {
  const { share, longest } = BY_VOLATILITY[volatility];
  const adapted = Math.min(baseMs * share * confidence, longest) * (1 - JITTER * jitter);
  const expiresAfter = Math.floor(Math.min(maxAgeMs, Math.max(SHORTEST, adapted)));
  if (expiresAfter < SHORTEST_WITH_REFRESH) return { expiresAfter };
  return { expiresAfter, dueAfter: Math.floor(expiresAfter * REFRESH_FROM) };
}

/**
 * The confidence in an answer that replaces another to the same prompt: 1 at first, 1.5 times as much when the old one was
 * confirmed, that is the same after half of its life at least, half as much when it is another one; from 1/4 to 4.
 */
export function confidenceAfter(
  old: {
    readonly confidence?: number;
    readonly response: string;
    readonly createTime: number;
    readonly expireTime: number;
  },
  response: string,
  now: number,
): number {
  const { confidence = 1, createTime, expireTime } = old;
  if (old.response !== response) return Math.max(MIN_CONFIDENCE, confidence / 2);
  const isConfirmed = now - createTime >= (expireTime - createTime) / 2;
  return isConfirmed ? Math.min(MAX_CONFIDENCE, confidence * 1.5) : confidence;
}

/** Whether an entry that has not expired is due for a refresh. */
export function isDue({ dueTime }: { readonly dueTime?: number }, now: number): boolean {
  return dueTime !== undefined && dueTime <= now;
}
