/** Resolves after this time; rejects with the signal's reason when that aborts before, and leaves no timer. */
export type Sleep = (milliseconds: number, signal: AbortSignal) => Promise<void>;
