import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import {
  CacheService,
  LookupCacheRequestSchema,
  LookupCacheResponseSchema,
  LookupCacheResponse_Hit_Match as Match,
} from "#gen/recollect/v1/cache_pb.js";
import {
  BatchCreateMemoriesRequestSchema,
  BatchCreateMemoriesResponseSchema,
  MemoryService,
  SearchMemoriesRequest_Mode as Mode,
  SearchMemoriesRequestSchema,
  SearchMemoriesResponseSchema,
} from "#gen/recollect/v1/memory_pb.js";
import { pathOf } from "./caller.ts";
import { type CachedQuestion, extraBatches, type memoryBatches, SCOPE, searchTexts } from "./data.ts";

/** The case that is measured by overload/: an open loop of all kinds of calls. */
export const OVERLOAD = "overload";
/** All cases, by name. */
export const CASE_NAMES = [
  "exact cache hit",
  "semantic cache hit",
  "search HYBRID",
  "search VECTOR",
  "search KEYWORD",
  "batch create of 100",
  OVERLOAD,
] as const;

/** A benchmark case. */
export interface Case {
  readonly name: string;
  readonly path: string;
  readonly requests: readonly Uint8Array[];
  /** Whether a reply of the service is valid for the case; requests without a valid reply are omitted. */
  readonly accepts: (reply: Uint8Array) => boolean;
  /** The ids that a reply of a search or lookup holds; undefined for others. */
  readonly found?: (reply: Uint8Array) => readonly string[];
  /** Concurrent calls on each connection in throughput runs. */
  readonly streams: number;
  /**
   * Set when a request can be sent only once, because a repetition has another effect: number of calls in a run with all
   * streams, and in one with one stream. The case then has enough requests for all runs.
   */
  readonly once?: { readonly calls: number; readonly single: number };
}

/** Different requests of a case, sent round robin. */
const POOL = 64;
/** More concurrent slow calls would measure queueing. */
const STREAMS = 16;
const BATCH_STREAMS = 2;

/** Recorded replies of requests that can be sent once: enough for a stable mean length. */
export const RECORDED_ONCE = 8;

/** Number of runs on each server. */
export interface Runs {
  /** Runs with all streams, and with one stream, including warm-up. */
  readonly full: number;
  readonly single: number;
  readonly batchCalls: { readonly calls: number; readonly single: number };
}

/** All cases over a store with this content; the writing case is the last one. */
export function casesOf(
  batches: ReturnType<typeof memoryBatches>,
  questions: readonly CachedQuestion[],
  runs: Runs,
): Case[] {
  const asked = searchTexts(batches, POOL).map((text) => ({ text }));
  // Evenly from the whole cache.
  const spread = Array.from(
    { length: POOL },
    (_, index) => questions[Math.floor((index * questions.length) / POOL)],
  );
  const known = spread.filter((question) => question !== undefined);
  return [
    lookup(
      "exact cache hit",
      known.map(({ stored }) => stored),
      Match.EXACT,
    ),
    lookup(
      "semantic cache hit",
      known.map(({ reworded }) => reworded),
      Match.SEMANTIC,
    ),
    search("search HYBRID", asked, Mode.HYBRID),
    search("search VECTOR", asked, Mode.VECTOR),
    search("search KEYWORD", asked, Mode.KEYWORD),
    batchCreate(runs),
  ];
}

export function lookup(name: string, prompts: readonly string[], match: Match): Case {
  return {
    name,
    path: pathOf(CacheService.method.lookupCache),
    requests: prompts.map((value) =>
      toBinary(
        LookupCacheRequestSchema,
        create(LookupCacheRequestSchema, { prompt: { prompt: { case: "text", value } }, scope: SCOPE }),
      ),
    ),
    accepts: (reply) => {
      const { outcome } = fromBinary(LookupCacheResponseSchema, reply);
      return outcome.case === "hit" && outcome.value.match === match;
    },
    found: (reply) => {
      const { outcome } = fromBinary(LookupCacheResponseSchema, reply);
      return outcome.case === "hit" ? [outcome.value.entry?.id ?? ""] : [];
    },
    streams: STREAMS,
  };
}

export function search(
  name: string,
  asked: readonly { readonly namespace?: string; readonly text: string; readonly userId?: string }[],
  mode: Mode,
): Case {
  return {
    name,
    path: pathOf(MemoryService.method.searchMemories),
    requests: asked.map(({ namespace = "", text, userId }) =>
      toBinary(
        SearchMemoriesRequestSchema,
        create(SearchMemoriesRequestSchema, {
          namespace,
          query: { by: { case: "text", value: text } },
          ...(userId === undefined ? {} : { filter: { userId } }),
          mode,
        }),
      ),
    ),
    accepts: (reply) => {
      const { results, degraded } = fromBinary(SearchMemoriesResponseSchema, reply);
      return results.length === 10 && degraded.length === 0;
    },
    found: (reply) =>
      fromBinary(SearchMemoriesResponseSchema, reply).results.map(({ memory }) => memory?.id ?? ""),
    streams: STREAMS,
  };
}

function batchCreate({ full, single, batchCalls }: Runs): Case {
  const count = RECORDED_ONCE + full * batchCalls.calls + single * batchCalls.single;
  return {
    name: "batch create of 100",
    path: pathOf(MemoryService.method.batchCreateMemories),
    requests: extraBatches(count).map((batch) => toBinary(BatchCreateMemoriesRequestSchema, batch)),
    accepts: (reply) => {
      const { results } = fromBinary(BatchCreateMemoriesResponseSchema, reply);
      return results.every(({ outcome, duplicate }) => outcome.case === "memory" && !duplicate);
    },
    streams: BATCH_STREAMS,
    once: batchCalls,
  };
}
