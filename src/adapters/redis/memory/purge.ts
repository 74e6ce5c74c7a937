import type { NamespaceKey } from "../../../domain/access/tenancy.ts";
import { contentBytes, nextStep } from "../../../domain/memory/batch-steps.ts";
import type { FeedLimits } from "../../../domain/memory/changes.ts";
import { type MemoryFilter, matchesFilter } from "../../../domain/memory/filter.ts";
import type { Memory } from "../../../domain/memory/memory.ts";
import type { IdempotentRequest } from "../../../ports/idempotency.ts";
import { unavailable } from "../connection/errors.ts";
import { listOf, textOf } from "../connection/replies.ts";
import { rows } from "../connection/script.ts";
import type { VectorModel } from "../indexes/vector-model.ts";
import { IDEMPOTENCY, replayedOutcome, requestInput } from "../namespaces/idempotency.ts";
import type { Namespaces } from "../namespaces/namespace-ids.ts";
import { defineNamespaceScript } from "../namespaces/namespace-script.ts";
import type { MemoryAccesses } from "./access-counts.ts";
import { FEED, feedInput } from "./changes.ts";
import { MAX_STEP } from "./pages.ts";
import type { MemoryReads } from "./reads.ts";
import { MEMORY, memoryKeys } from "./rows.ts";
import { stepLimits } from "./step-limits.ts";

const PURGE = defineNamespaceScript({
  file: new URL("./purge-memories.lua", import.meta.url),
  libraries: [IDEMPOTENCY, MEMORY, FEED],
  effect: "frees",
  arguments: ["isLast", "purgedBefore", rows("memories", ["id", "etag"])],
  reply: (reply): Progress & { readonly changed: readonly string[] } => {
    // Throws REQUEST_ID_REUSED.
    replayedOutcome(reply);
    const [, outcome = null, changed = null] = listOf(reply);
    const [count = 0, done] = (textOf(outcome) ?? "").split(" ").map(Number);
    return { count, done: done === 1, changed: listOf(changed).map(String) };
  },
});

/** How often memories that were changed concurrently are read again. */
const MAX_TRIES = 100;

/** The progress of a purge. Retries during it, or after a crash, continue it together and get the same response. */
interface Progress {
  readonly count: number;
  readonly done: boolean;
}

interface PurgeOptions {
  readonly now: number;
  readonly request?: IdempotentRequest;
}

/** Deletes by filter: page by page, each in short scripts that skip memories with a changed etag. */
export class MemoryPurge {
  readonly #namespaces: Namespaces;
  readonly #reads: MemoryReads;
  readonly #accesses: MemoryAccesses;
  readonly #model: VectorModel;
  readonly #feedLimits: FeedLimits;

  constructor(
    namespaces: Namespaces,
    {
      model,
      reads,
      accesses,
      feedLimits,
    }: {
      readonly model: VectorModel;
      readonly reads: MemoryReads;
      readonly accesses: MemoryAccesses;
      readonly feedLimits: FeedLimits;
    },
  ) {
    this.#namespaces = namespaces;
    this.#model = model;
    this.#reads = reads;
    this.#accesses = accesses;
    this.#feedLimits = feedLimits;
  }

  async run(scope: NamespaceKey, filter: MemoryFilter, options: PurgeOptions): Promise<number> {
    const { now, request } = options;
    let progress: Progress = { count: 0, done: false };
    // Reads the record first: a replay need not scan.
    if (request !== undefined)
      progress = await this.#step(scope, [], { ...options, progress, isLast: false });
    // Newest first, so that memories written meanwhile are left out.
    const query = { filter, now, oldestFirst: false, limit: MAX_STEP };
    for await (const page of this.#reads.passing(scope, query)) {
      if (progress.done) break;
      const memories = page.map(({ memory }) => memory);
      if (memories.length > 0)
        progress = await this.#deletePage(scope, filter, memories, { ...options, progress });
    }
    if (!progress.done) progress = await this.#step(scope, [], { ...options, progress, isLast: true });
    return progress.count;
  }

  async #deletePage(
    scope: NamespaceKey,
    filter: MemoryFilter,
    memories: readonly Memory[],
    options: PurgeOptions & { readonly progress: Progress },
  ): Promise<Progress> {
    let left = memories;
    let { progress } = options;
    // Each step takes at least one; changed memories are retried a bounded number of times.
    for (let steps = memories.length + MAX_TRIES; left.length > 0 && !progress.done; steps -= 1) {
      if (steps === 0) throw unavailable("memories to be purged keep changing");
      const taken = nextStep(left, 0, contentBytes, stepLimits(this.#model));
      const step = await this.#step(scope, taken, { ...options, progress, isLast: false });
      progress = step;
      // Changed memories are read again.
      const changed = await this.#reads.get(scope, step.changed, options.now);
      const passing = changed.filter(
        (memory) => memory !== undefined && matchesFilter(memory, filter, options.now),
      ) as Memory[];
      left = [...passing, ...left.slice(taken.length)];
    }
    return progress;
  }

  async #step(
    scope: NamespaceKey,
    memories: readonly Memory[],
    options: PurgeOptions & { readonly progress: Progress; readonly isLast: boolean },
  ): Promise<Progress & { readonly changed: readonly string[] }> {
    const { now, request, progress, isLast } = options;
    const partition = this.#namespaces.partition(scope);
    const step = await this.#namespaces.run(scope, {
      script: PURGE,
      // The record is stored beside the namespace, which may not exist: a replay must not delete later memories.
      whenAbsent: "run",
      input: (namespace) => ({
        ...memoryKeys(namespace),
        ...requestInput(request),
        request: partition.requestBeside(scope, request?.key ?? ""),
        ...feedInput(this.#feedLimits),
        now,
        isLast: isLast ? 1 : 0,
        purgedBefore: progress.count,
        memories: memories.map(({ id, etag }) => ({ id, etag })),
      }),
    });
    this.#accesses.discard(
      scope,
      memories.map(({ id }) => id).filter((id) => !step.changed.includes(id)),
    );
    return step;
  }
}
