import { create, type DescMessage, type MessageInitShape, toBinary } from "@bufbuild/protobuf";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { ListCacheEntriesResponseSchema } from "#gen/recollect/v1/cache_pb.js";
import {
  BatchGetMemoriesResponseSchema,
  ListMemoriesResponseSchema,
  SearchMemoriesResponseSchema,
} from "#gen/recollect/v1/memory_pb.js";
import { cacheEntries, storedMemories } from "../../../test/support/arbitrary-records.ts";
import { rank } from "../../domain/memory/ranking.ts";
import type { FoundMemory } from "../../services/memory/search-memories.ts";
import { fittingEntries, fittingMemories, fittingResults, textBytes, textsBytes } from "./answer-fit.ts";
import { fromEntry } from "./cache.ts";
import { fromStoredMemory } from "./memory.ts";
import { searchDetails, searchResult } from "./search-result.ts";

const namespace = "n";
const RUNS = { seed: 3, numRuns: 50 };
/** The bound as a share of the whole response; above 1 everything fits. */
const share = fc.double({ min: 0, max: 1.2, noNaN: true });

/** Expects a response within its bound, or with one item, without room for another. */
function expectFitted<Desc extends DescMessage>(
  schema: Desc,
  answerOf: (fitted: number) => MessageInitShape<Desc>,
  count: number,
  maxShare: number,
  fitting: (maxBytes: number) => number,
): void {
  const bytesOf = (fitted: number): number => toBinary(schema, create(schema, answerOf(fitted))).length;
  const maxBytes = Math.floor(bytesOf(count) * maxShare);
  // Also a response exactly at its bound, and one byte above it.
  for (const bound of [maxBytes, bytesOf(count), bytesOf(count) - 1, bytesOf(Math.ceil(count / 2))]) {
    const fitted = fitting(bound);
    expect(fitted).toBeGreaterThanOrEqual(Math.min(1, count));
    if (fitted > 1) expect(bytesOf(fitted)).toBeLessThanOrEqual(bound);
    for (let more = fitted + 1; more <= count; more += 1) expect(bytesOf(more)).toBeGreaterThan(bound);
  }
}

describe("the number of items that fit into a response", () => {
  it("of ListMemories, with its page token", () => {
    const property = fc.property(
      fc.array(storedMemories, { maxLength: 8 }),
      fc.boolean(),
      share,
      (memories, more, maxShare) => {
        const tokenAfter = (fitted: number): string =>
          fitted < memories.length || more ? "t".repeat(120 + fitted) : "";
        expectFitted(
          ListMemoriesResponseSchema,
          (fitted) => ({
            memories: memories.slice(0, fitted).map((one) => fromStoredMemory(one, namespace)),
            nextPageToken: tokenAfter(fitted),
          }),
          memories.length,
          maxShare,
          (maxBytes) =>
            fittingMemories(memories, {
              namespace,
              maxBytes,
              beside: (fitted) => textBytes(tokenAfter(fitted)),
            }),
        );
      },
    );
    fc.assert(property, RUNS);
  });

  it("of BatchGetMemories, with the ids that are missing or omitted", () => {
    const property = fc.property(
      fc.array(storedMemories, { maxLength: 8 }),
      fc.array(fc.string(), { maxLength: 3 }),
      share,
      (memories, notFoundIds, maxShare) => {
        const omittedIds = (fitted: number): string[] => memories.slice(fitted).map(({ id }) => id);
        expectFitted(
          BatchGetMemoriesResponseSchema,
          (fitted) => ({
            memories: memories.slice(0, fitted).map((one) => fromStoredMemory(one, namespace)),
            notFoundIds,
            omittedIds: omittedIds(fitted),
          }),
          memories.length,
          maxShare,
          (maxBytes) =>
            fittingMemories(memories, {
              namespace,
              maxBytes,
              beside: (fitted) => textsBytes(notFoundIds) + textsBytes(omittedIds(fitted)),
            }),
        );
      },
    );
    fc.assert(property, RUNS);
  });

  it("of ListCacheEntries", () => {
    const property = fc.property(fc.array(cacheEntries, { maxLength: 8 }), share, (entries, maxShare) => {
      expectFitted(
        ListCacheEntriesResponseSchema,
        (fitted) => ({ entries: entries.slice(0, fitted).map((one) => fromEntry(one, namespace)) }),
        entries.length,
        maxShare,
        (maxBytes) => fittingEntries(entries, { namespace, maxBytes, beside: () => 0 }),
      );
    });
    fc.assert(property, RUNS);
  });

  it("of SearchMemories, explained or not, with its plan and neighbours", () => {
    const property = fc.property(
      fc.array(
        fc.record({
          memory: storedMemories,
          matchedTerms: fc.array(fc.string()),
          neighbors: fc.array(storedMemories, { maxLength: 2 }),
        }),
        { maxLength: 8 },
      ),
      fc.boolean(),
      fc.constantFrom([] as const, ["VECTOR"] as const),
      share,
      (results, explain, degraded, maxShare) => {
        const found = results.map(({ memory, matchedTerms, neighbors }): FoundMemory => {
          const [ranked] = rank([{ id: memory.id, time: 0, importance: 0, similarity: 0.5, bm25: 1 }], {
            mode: "HYBRID",
            recencyWeight: 0,
            importanceWeight: 0,
            now: 0,
          });
          if (ranked === undefined) throw new Error("nothing is ranked");
          return { memory, ranked, similarity: 0.5, matchedTerms, neighbors, retentionScore: 0.5 };
        });
        const plan = { terms: ["a".repeat(500)], commonTerms: [], walked: true, rounds: 1 };
        expectFitted(
          SearchMemoriesResponseSchema,
          (fitted) => ({
            results: found.slice(0, fitted).map((one) => searchResult(one, namespace, explain)),
            ...searchDetails({ degraded, plan }, explain),
            truncated: fitted < found.length,
          }),
          found.length,
          maxShare,
          (maxBytes) => {
            const fitted = fittingResults({ found, degraded, plan }, { namespace, maxBytes, explain });
            if (fitted > 0) return fitted;
            const isAlone = found[0]?.neighbors?.length ?? 0;
            // The first one fits only without its neighbours.
            if (found.length > 0) expect(isAlone).toBeGreaterThan(0);
            return Math.min(1, found.length);
          },
        );
      },
    );
    fc.assert(property, RUNS);
  });
});
