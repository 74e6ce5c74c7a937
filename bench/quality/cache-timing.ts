import { performance } from "node:perf_hooks";
import { analyzePrompt } from "../../src/domain/cache/analysis.ts";
import { quantile } from "../statistics.ts";
import { guardVerdict } from "./cache-decision.ts";
import type { PromptPair } from "./cache-pairs.ts";

const WARM_ROUNDS = 20;
const ROUNDS = 20;

/** Milliseconds for one call. */
export interface Timing {
  readonly median: number;
  readonly p99: number;
}

/** Times of the analysis of a prompt, and of the guard's comparison of two analyses, over all pairs, after warming up. */
export function timeGuard(pairs: readonly PromptPair[]): {
  readonly analysis: Timing;
  readonly comparison: Timing;
} {
  const prompts = pairs.flatMap(({ stored, asked }) => [stored, asked]);
  const analysed = pairs.map(({ stored, asked }) => [analyzePrompt(asked), analyzePrompt(stored)] as const);
  return {
    analysis: timed(prompts, (prompt) => analyzePrompt(prompt).items.length),
    comparison: timed(analysed, ([asked, stored]) => guardVerdict(asked, stored).conflicts.length),
  };
}

function timed<Input>(inputs: readonly Input[], call: (input: Input) => number): Timing {
  const times: number[] = [];
  let sum = 0;
  for (let round = 0; round < WARM_ROUNDS + ROUNDS; round += 1) {
    for (const input of inputs) {
      const start = performance.now();
      sum += call(input);
      if (round >= WARM_ROUNDS) times.push(performance.now() - start);
    }
  }
  // Uses the results, so that no call can be optimised away.
  if (!Number.isFinite(sum)) throw new Error("a call gave no number");
  return { median: quantile(times, 0.5), p99: quantile(times, 0.99) };
}
