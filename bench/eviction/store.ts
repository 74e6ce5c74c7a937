import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { openEmbeddedBackend } from "../../src/adapters/embedded/backend.ts";
import { analyzePrompt } from "../../src/domain/cache/analysis.ts";
import type { CacheEntry } from "../../src/domain/cache/entry.ts";
import type { EvictionPolicy } from "../../src/domain/cache/eviction.ts";
import { digest } from "../../src/lib/digest.ts";
import { Outcome } from "./outcome.ts";
import type { Trace } from "./trace.ts";

const NAMESPACE = { tenant: "bench", namespace: "eviction" };
const START = 1_700_000_000_000;
const LIFE = 365 * 86_400_000;
/** Callers at the same time: their writes share a transaction. A prompt that two of them ask for is a miss of both. */
const CALLERS = 16;

/** Replays a trace over the embedded store: exact lookups, counted, and a put for each miss; one lookup a millisecond. */
export async function replay(
  { lookups, costs }: Trace,
  policy: EvictionPolicy,
  maxEntries: number,
): Promise<Outcome> {
  const directory = await mkdtemp(join(tmpdir(), "recollect-eviction-"));
  try {
    await using backend = await openEmbeddedBackend({
      directory,
      embedder: undefined,
      log: { warn: say, error: say, info: quiet, debug: quiet },
      metrics: {
        cacheRemoved: quiet,
        storeDamaged: quiet,
        storeRepaired: quiet,
        observeStoreDisk: () => quiet,
      },
    });
    const { cache } = backend;
    const outcome = new Outcome();
    const analysis = analyzePrompt("one");
    const look = async (key: number, now: number): Promise<void> => {
      const cost = costs[key] ?? 0;
      const id = digest(String(key));
      const { exact } = await cache.lookup(NAMESPACE, { id }, now);
      if (exact !== undefined) {
        outcome.hit(cost);
        cache.countLookup(NAMESPACE, { kind: "EXACT", id }, now);
        return;
      }
      outcome.miss(cost);
      cache.countLookup(NAMESPACE, { kind: "MISS" }, now);
      const entry: CacheEntry = {
        id,
        fingerprint: "f",
        knowledge: "",
        model: "m",
        prompt: String(key),
        analysis,
        response: "an answer",
        tags: [],
        metadata: {},
        usage: { promptTokens: 0, completionTokens: 0, generationMs: 0, costUsd: cost },
        createTime: now,
        expireTime: now + LIFE,
        etag: id.slice(0, 32),
      };
      const { evicted, refused } = await cache.put(NAMESPACE, entry, { now, maxEntries, policy });
      outcome.evicted += evicted;
      if (refused !== undefined) outcome.refused += 1;
    };
    for (let at = 0; at < lookups.length; at += CALLERS) {
      await Promise.all(
        [...lookups.subarray(at, at + CALLERS)].map((key, caller) => look(key, START + at + caller)),
      );
    }
    const { entryCount } = await cache.stats(NAMESPACE, START + lookups.length);
    if (entryCount > maxEntries) throw new Error(`${entryCount} entries where ${maxEntries} may be`);
    return outcome;
  } finally {
    await rm(directory, { recursive: true, force: true });
  }
}

const quiet = (): undefined => undefined;

function say(fields: object, message: string): void {
  process.stderr.write(`${message} ${JSON.stringify(fields)}\n`);
}
