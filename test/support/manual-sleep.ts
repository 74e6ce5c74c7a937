import type { Sleep } from "../../src/ports/sleep.ts";

/** A sleep function that is controlled by a test. */
export interface ManualSleep {
  readonly sleep: Sleep;
  /** Requested durations of all sleeps so far, in order. */
  readonly durations: readonly number[];
  /** Resolves when the total number of sleeps reaches this number. */
  begun(count: number): Promise<void>;
  /** Ends all current sleeps. */
  wake(): void;
}

export function manualSleep(): ManualSleep {
  const durations: number[] = [];
  const sleepers = new Set<() => void>();
  const waiters: { readonly count: number; readonly resolve: () => void }[] = [];
  return {
    durations,
    sleep: (milliseconds, signal) =>
      new Promise<void>((resolve, reject) => {
        signal.throwIfAborted();
        durations.push(milliseconds);
        const end = (): void => {
          sleepers.delete(end);
          resolve();
        };
        sleepers.add(end);
        signal.addEventListener(
          "abort",
          () => {
            sleepers.delete(end);
            reject(signal.reason);
          },
          { once: true },
        );
        for (const { count, resolve: tell } of waiters) if (durations.length >= count) tell();
      }),
    begun: (count) =>
      new Promise((resolve) => {
        if (durations.length >= count) resolve();
        else waiters.push({ count, resolve });
      }),
    wake: () => {
      for (const end of sleepers) end();
    },
  };
}
