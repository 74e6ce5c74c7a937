import type { EmbeddedText, Embedder } from "../../src/ports/embedding/embedder.ts";

/** An embedder that is blocked by a test: each call waits for its release or its signal. */
export interface GatedEmbedder extends Embedder {
  /** Resolves when the total number of calls reaches this number. */
  entered(calls: number): Promise<void>;
  /** The signals of all calls so far, in order. */
  readonly signals: readonly AbortSignal[];
  /** Releases all calls, also later ones. */
  release(): void;
}

/** With `deaf`, calls ignore their signal and hang until they are released. */
export function gatedEmbedder(options: { readonly deaf?: boolean } = {}): GatedEmbedder {
  const gate = Promise.withResolvers<void>();
  const signals: AbortSignal[] = [];
  const waiters: { readonly calls: number; readonly resolve: () => void }[] = [];
  return {
    identity: { provider: "hashing", model: "gated", dimension: 2 },
    signals,
    release: () => gate.resolve(),
    entered: (calls) =>
      new Promise((resolve) => {
        if (signals.length >= calls) resolve();
        else waiters.push({ calls, resolve });
      }),
    embed: async (texts, signal) => {
      signals.push(signal);
      for (const { calls, resolve } of waiters) if (signals.length >= calls) resolve();
      await (options.deaf === true ? gate.promise : Promise.race([gate.promise, aborted(signal)]));
      return texts.map((): EmbeddedText => ({ vector: Float32Array.of(1, 0), truncated: false }));
    },
  };
}

/** Resolves when the signal has aborted. */
export function abortion(signal: AbortSignal): Promise<void> {
  return aborted(signal).catch(() => undefined);
}

function aborted(signal: AbortSignal): Promise<never> {
  return new Promise((_resolve, reject) => {
    if (signal.aborted) reject(signal.reason);
    else signal.addEventListener("abort", () => reject(signal.reason), { once: true });
  });
}
