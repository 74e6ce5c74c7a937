import { create, equals, fromBinary } from "@bufbuild/protobuf";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  LookupCacheResponse_HitSchema as HitSchema,
  LookupCacheResponseSchema,
  LookupCacheResponse_Hit_Match as Match,
} from "#gen/recollect/v1/cache_pb.js";
import { analyzePrompt } from "../../domain/cache/analysis.ts";
import type { CacheEntry } from "../../domain/cache/entry.ts";
import { fromEntry } from "./cache.ts";
import { fromDurationMs } from "./common.ts";
import { HitEncoder } from "./hit-bytes.ts";

/** Numbers that are exact as float32. */
const share = fc.double({ min: 0, max: 1, noNaN: true }).map(Math.fround);
const time = fc.integer({ min: 0, max: 4_000_000_000_000 });
const text = fc.string({ unit: "grapheme", maxLength: 300 });

const entry: fc.Arbitrary<CacheEntry> = fc
  .record({
    id: text,
    model: text,
    prompt: text,
    response: text,
    tags: fc.array(text, { maxLength: 4 }),
    createTime: time,
    expireTime: time,
    etag: text,
  })
  .map((fields) => ({
    ...fields,
    fingerprint: "f",
    knowledge: "",
    analysis: analyzePrompt(fields.prompt),
    metadata: { n: 1, list: ["a", null] },
    usage: { promptTokens: 3, completionTokens: 4, generationMs: 1500, costUsd: 0.25 },
  }));

describe("a HitEncoder", () => {
  it("writes the same bytes as the library, with an entry encoded now or earlier", () => {
    fc.assert(
      fc.property(
        entry,
        fc.constantFrom("EXACT" as const, "SEMANTIC" as const),
        share,
        share,
        fc.nat({ max: 10 ** 12 }),
        fc.base64String({ maxLength: 512 }),
        fc.boolean(),
        (one, match, similarity, threshold, ageMs, decisionId, isStale) => {
          const expected = create(LookupCacheResponseSchema, {
            decisionId,
            outcome: {
              case: "hit",
              value: {
                entry: fromEntry(one, "n"),
                match: Match[match],
                similarity,
                threshold,
                age: fromDurationMs(ageMs),
                stale: isStale,
              },
            },
          });
          const hit = { kind: "hit", match, entry: one, similarity, threshold, ageMs, isStale } as const;
          const encoder = new HitEncoder();
          for (const _ of [1, 2]) {
            const { bytes } = encoder.encode(decisionId, hit, "n");
            const decoded = fromBinary(LookupCacheResponseSchema, bytes);
            expect(equals(LookupCacheResponseSchema, decoded, expected)).toBe(true);
          }
        },
      ),
      { seed: 11 },
    );
  });

  it("writes complete messages after a failed one and after a large one", () => {
    const encoder = new HitEncoder();
    const one = fc.sample(entry, { seed: 12, numRuns: 1 })[0];
    if (one === undefined) throw new TypeError("no sample");
    const base = { kind: "hit", match: "EXACT", entry: one, similarity: 1, threshold: 0 } as const;
    const hit = { ...base, ageMs: 5, isStale: false };
    const large = { ...hit, entry: { ...one, etag: "large", response: "x".repeat(100_000) } };
    const first = encoder.encode("d", hit, "n");
    // No float of the wire.
    expect(() => encoder.encode("d", { ...hit, similarity: Number.MAX_VALUE }, "n")).toThrow();
    expect(encoder.encode("d", hit, "n")).toEqual(first);
    const { outcome } = fromBinary(LookupCacheResponseSchema, encoder.encode("d", large, "n").bytes);
    expect(outcome.case === "hit" && outcome.value.entry?.response).toBe(large.entry.response);
    expect(encoder.encode("d", hit, "n")).toEqual(first);
  });

  it("covers every field of a hit", () => {
    expect(HitSchema.fields.map(({ name }) => name)).toEqual([
      "entry",
      "match",
      "similarity",
      "threshold",
      // Not served yet.
      "false_hit_bound",
      "age",
      // Never true yet.
      "stale",
    ]);
  });
});
