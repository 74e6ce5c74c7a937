import { create } from "@bufbuild/protobuf";
import { durationFromMs } from "@bufbuild/protobuf/wkt";
import { describe, expect, it } from "vitest";
import {
  CacheGuard,
  GuardReason,
  LookupCacheResponse_HitSchema,
  LookupCacheResponse_MissSchema,
  LookupCacheResponse_Hit_Match as Match,
  LookupCacheResponse_Miss_Reason as Reason,
} from "#gen/recollect/v1/cache_pb.js";
import { formatHit, formatMiss } from "./format-outcome.ts";

describe("formatHit", () => {
  it("shows the age of an exact match", () => {
    const hit = create(LookupCacheResponse_HitSchema, {
      match: Match.EXACT,
      similarity: 1,
      age: durationFromMs(61_000),
    });
    expect(formatHit(hit)).toBe("hit: EXACT, age 1 min 1 s");
  });

  it("shows the similarity of a semantic match, and its threshold when calibrated", () => {
    const hit = create(LookupCacheResponse_HitSchema, {
      match: Match.SEMANTIC,
      similarity: 0.92,
      threshold: 0.85,
      falseHitBound: 0.01,
      stale: true,
    });
    expect(formatHit(hit)).toBe(
      "hit: SEMANTIC, similarity 0.920, threshold 0.85, at most 1.0 % wrong, stale",
    );
  });
});

describe("formatMiss", () => {
  it("shows the reasons of the guard", () => {
    const miss = create(LookupCacheResponse_MissSchema, {
      reason: Reason.GUARD,
      nearestSimilarity: 0.93,
      threshold: 0.85,
      guardReasons: [GuardReason.NUMBER, GuardReason.UNIT],
      guard: CacheGuard.BALANCED,
    });
    expect(formatMiss(miss)).toBe(
      "miss: GUARD, nearest similarity 0.930, threshold 0.85, refused by the guard for NUMBER+UNIT, guard balanced",
    );
  });

  it("shows them also below the threshold", () => {
    const miss = create(LookupCacheResponse_MissSchema, {
      reason: Reason.BELOW_THRESHOLD,
      nearestSimilarity: 0.61,
      threshold: 0.85,
      guardReasons: [GuardReason.NEGATION],
      guard: CacheGuard.CLOSED,
    });
    expect(formatMiss(miss)).toBe(
      "miss: BELOW_THRESHOLD, nearest similarity 0.610, threshold 0.85, refused by the guard for NEGATION, guard closed",
    );
  });

  it("shows no similarity without a candidate", () => {
    expect(formatMiss(create(LookupCacheResponse_MissSchema, { reason: Reason.NOT_FOUND }))).toBe(
      "miss: NOT_FOUND",
    );
  });
});
