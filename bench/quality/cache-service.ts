import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { LookupCacheResponse_Miss_Reason as MissReason } from "#gen/recollect/v1/cache_pb.js";
import type { PromptPair } from "./cache-pairs.ts";
import { openService } from "./service.ts";

const SCOPE = { model: "bench-model" };

/** The outcome of a lookup through the API. */
export interface ServiceOutcome {
  readonly isHit: boolean;
  /** "HIT", or the reason of the miss. */
  readonly outcome: string;
  /** Of the nearest prompt; absent when the exact prompt is stored. */
  readonly similarity: number | undefined;
}

/**
 * Stores an answer for one prompt of each pair and looks up the other, each pair in a namespace of its own, in a server
 * with these settings and otherwise the defaults.
 */
export async function pairsThroughTheService(
  pairs: readonly PromptPair[],
  settings: Readonly<Record<string, string>>,
): Promise<ServiceOutcome[]> {
  const data = await mkdtemp(join(tmpdir(), "recollect-cache-"));
  try {
    await using service = await openService({ DATA_DIR: data, ...settings });
    const { cache } = service.clients;
    const outcomes: ServiceOutcome[] = [];
    for (const [index, { stored, asked }] of pairs.entries()) {
      const namespace = `pair-${index + 1}`;
      const promptOf = (value: string) => ({ prompt: { case: "text", value } }) as const;
      await cache.storeCacheEntry({
        namespace,
        prompt: promptOf(stored),
        origin: { case: "scope", value: SCOPE },
        response: "An answer.",
        // With a TTL of its own the answer is stored whatever the prompt asks for, also for the weather of the moment.
        ttl: { seconds: 3600n },
      });
      const { outcome } = await cache.lookupCache({ namespace, prompt: promptOf(asked), scope: SCOPE });
      if (outcome.case === "hit") {
        outcomes.push({ isHit: true, outcome: "HIT", similarity: outcome.value.similarity });
      } else if (outcome.case === "miss") {
        const { reason, nearestSimilarity } = outcome.value;
        outcomes.push({ isHit: false, outcome: MissReason[reason], similarity: nearestSimilarity });
      } else throw new Error("a lookup had no outcome");
    }
    return outcomes;
  } finally {
    await rm(data, { recursive: true, force: true });
  }
}
