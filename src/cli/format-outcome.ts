import { durationMs } from "@bufbuild/protobuf/wkt";
import {
  GuardReason,
  type LookupCacheResponse_Hit,
  LookupCacheResponse_Hit_Match,
  type LookupCacheResponse_Miss,
  LookupCacheResponse_Miss_Reason,
} from "#gen/recollect/v1/cache_pb.js";
import { formatDuration } from "./duration.ts";

/** A hit in one line: match type, similarity and age of the entry. */
export function formatHit(hit: LookupCacheResponse_Hit): string {
  const facts = [LookupCacheResponse_Hit_Match[hit.match]];
  if (hit.match === LookupCacheResponse_Hit_Match.SEMANTIC) {
    facts.push(`similarity ${hit.similarity.toFixed(3)}`, `threshold ${hit.threshold.toFixed(2)}`);
  }
  if (hit.falseHitBound !== undefined) facts.push(`at most ${(hit.falseHitBound * 100).toFixed(1)} % wrong`);
  if (hit.age !== undefined) facts.push(`age ${formatDuration(durationMs(hit.age))}`);
  if (hit.stale) facts.push("stale");
  return `hit: ${facts.join(", ")}`;
}

/** A miss in one line: reason, and similarity of the nearest entry. */
export function formatMiss(miss: LookupCacheResponse_Miss): string {
  const reasons = miss.guardReasons.map((reason) => GuardReason[reason]).join("+");
  const facts = [`${LookupCacheResponse_Miss_Reason[miss.reason]}${reasons === "" ? "" : ` (${reasons})`}`];
  if (miss.nearestSimilarity !== undefined) {
    facts.push(`nearest similarity ${miss.nearestSimilarity.toFixed(3)}`);
    facts.push(`threshold ${miss.threshold.toFixed(2)}`);
  }
  return `miss: ${facts.join(", ")}`;
}
