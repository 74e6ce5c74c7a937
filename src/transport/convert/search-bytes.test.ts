import { create, equals, fromBinary, toBinary } from "@bufbuild/protobuf";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  MemorySchema,
  SearchMemoriesResponse_ResultSchema as ResultSchema,
  SearchMemoriesResponseSchema,
} from "#gen/recollect/v1/memory_pb.js";
import { seededRandom } from "../../../test/support/builders.ts";
import { randomMemory } from "../../../test/support/random-memories.ts";
import { withAccess } from "../../domain/memory/memory.ts";
import { rank } from "../../domain/memory/ranking.ts";
import type { FoundMemory } from "../../services/memory/search-memories.ts";
import { defined } from "./common.ts";
import { fromStoredMemory } from "./memory.ts";
import { encodeSearch } from "./search-bytes.ts";

/** Numbers that are exact as float32, without -0. */
const share = fc.double({ min: -1, max: 1.44, noNaN: true }).map((value) => Math.fround(value) + 0);
const access = fc.option(
  fc.record({
    accessCount: fc.nat(),
    lastAccessTime: fc.integer({ min: -4_000_000_000_000, max: 4_000_000_000_000 }),
  }),
  { nil: undefined },
);

describe("encodeSearch", () => {
  it("writes the same bytes as the library, the first time and from cached bytes", () => {
    fc.assert(
      fc.property(
        fc.array(
          fc.record({
            seed: fc.nat(),
            access,
            score: share,
            similarity: fc.option(share, { nil: undefined }),
            neighbors: fc.option(fc.array(fc.nat(), { maxLength: 3 }), { nil: undefined }),
          }),
        ),
        (results) => {
          const found = results.map(({ seed, access: used, score, similarity, ...one }, at): FoundMemory => {
            const memory = randomMemory(seededRandom(seed), `m${at}`);
            const neighbors = one.neighbors?.map((other) =>
              withAccess(randomMemory(seededRandom(other), `n${other}`), used),
            );
            const [ranked] = rank([{ id: memory.id, time: 0, importance: 0 }], {
              mode: "HYBRID",
              recencyWeight: 0,
              importanceWeight: 0,
              now: 0,
            });
            if (ranked === undefined) throw new Error("nothing is ranked");
            return {
              memory: withAccess(memory, used),
              ranked: { ...ranked, score },
              matchedTerms: [],
              retentionScore: 0.5,
              ...defined({ similarity, neighbors }),
            };
          });
          const message = create(SearchMemoriesResponseSchema, {
            results: found.map(({ memory, ranked: { score }, similarity, neighbors = [] }) => ({
              memory: fromStoredMemory(memory, "n"),
              score,
              neighbors: neighbors.map((one) => fromStoredMemory(one, "n")),
              ...defined({ similarity }),
            })),
          });
          const expected = fromBinary(
            SearchMemoriesResponseSchema,
            toBinary(SearchMemoriesResponseSchema, message),
          );
          for (const _ of [1, 2]) {
            const decoded = fromBinary(SearchMemoriesResponseSchema, encodeSearch(found, "n").bytes);
            expect(equals(SearchMemoriesResponseSchema, decoded, expected)).toBe(true);
          }
        },
      ),
      { seed: 12 },
    );
  });

  it("covers every field of a result, and the fields of a memory outside its record", () => {
    expect(ResultSchema.fields.map(({ name }) => name)).toEqual([
      "memory",
      "score",
      "similarity",
      // Only on request, and then encoded by the library.
      "explanation",
      "neighbors",
    ]);
    expect(SearchMemoriesResponseSchema.fields.map(({ name }) => name)).toEqual([
      "results",
      // The same.
      "degraded",
      "plan",
      "truncated",
    ]);
    expect([MemorySchema.field.accessCount.number, MemorySchema.field.lastAccessTime.number]).toEqual([
      29, 28,
    ]);
  });
});
