/** Resolves after this time; rejects with the signal's reason when that aborts first, and clears its timer. */
export type Sleep = (milliseconds: number, signal: AbortSignal) => Promise<void>;
