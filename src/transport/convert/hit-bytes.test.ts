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
import { EncodedEntries } from "./encoded-entries.ts";
import { encodeHit } from "./hit-bytes.ts";

/** Numbers as a float of the wire holds them. */
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
    analysis: analyzePrompt(fields.prompt),
    metadata: { n: 1, list: ["a", null] },
    usage: { promptTokens: 3, completionTokens: 4, generationMs: 1500, costUsd: 0.25 },
  }));

describe("encodeHit", () => {
  it("writes what the library would write of the whole message, with an entry encoded now or before", () => {
    fc.assert(
      fc.property(
        entry,
        fc.constantFrom("EXACT" as const, "SEMANTIC" as const),
        share,
        share,
        fc.nat({ max: 10 ** 12 }),
        fc.base64String({ maxLength: 512 }),
        (one, match, similarity, threshold, ageMs, decisionId) => {
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
                stale: false,
              },
            },
          });
          const hit = { kind: "hit", match, entry: one, similarity, threshold, ageMs } as const;
          const entries = new EncodedEntries();
          for (const _ of [1, 2]) {
            const { bytes } = encodeHit(decisionId, hit, entries.of(one, "n"));
            const decoded = fromBinary(LookupCacheResponseSchema, bytes);
            expect(equals(LookupCacheResponseSchema, decoded, expected)).toBe(true);
          }
        },
      ),
      { seed: 11 },
    );
  });

  it("knows every field that a hit has", () => {
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
