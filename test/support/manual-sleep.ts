import type { Sleep } from "../../src/ports/sleep.ts";

/** Time that passes only when a test says so. */
export interface ManualSleep {
  readonly sleep: Sleep;
  /** How long each sleeper so far wanted to sleep, in order. */
  readonly asked: readonly number[];
  /** Resolves when so many sleeps have begun, counted from the start. */
  begun(count: number): Promise<void>;
  /** Wakes all who sleep, as if their time were over. */
  wake(): void;
}

export function manualSleep(): ManualSleep {
  const asked: number[] = [];
  const sleepers = new Set<() => void>();
  const waiting: { readonly count: number; readonly resolve: () => void }[] = [];
  return {
    asked,
    sleep: (milliseconds, signal) =>
      new Promise<void>((resolve, reject) => {
        signal.throwIfAborted();
        asked.push(milliseconds);
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
        for (const { count, resolve: tell } of waiting) if (asked.length >= count) tell();
      }),
    begun: (count) =>
      new Promise((resolve) => {
        if (asked.length >= count) resolve();
        else waiting.push({ count, resolve });
      }),
    wake: () => {
      for (const end of sleepers) end();
    },
  };
}
