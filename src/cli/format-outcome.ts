import { durationMs } from "@bufbuild/protobuf/wkt";
import {
  GuardReason,
  type LookupCacheResponse_Hit,
  LookupCacheResponse_Hit_Match,
  type LookupCacheResponse_Miss,
  LookupCacheResponse_Miss_Reason,
} from "#gen/recollect/v1/cache_pb.js";
import { formatDuration } from "./duration.ts";
import { guardName } from "./guard-names.ts";

/** A hit in one line: match type, similarity and age of the entry. */
export function formatHit(hit: LookupCacheResponse_Hit): string {
  const parts = [LookupCacheResponse_Hit_Match[hit.match]];
  if (hit.match === LookupCacheResponse_Hit_Match.SEMANTIC) {
    parts.push(`similarity ${hit.similarity.toFixed(3)}`, `threshold ${hit.threshold.toFixed(2)}`);
  }
  if (hit.falseHitBound !== undefined) parts.push(`at most ${(hit.falseHitBound * 100).toFixed(1)} % wrong`);
  if (hit.age !== undefined) parts.push(`age ${formatDuration(durationMs(hit.age))}`);
  if (hit.stale) parts.push("stale");
  return `hit: ${parts.join(", ")}`;
}

/** A miss in one line: reason, similarity of the nearest entry, and what the guard says of it. */
export function formatMiss(miss: LookupCacheResponse_Miss): string {
  const parts: string[] = [LookupCacheResponse_Miss_Reason[miss.reason] ?? ""];
  if (miss.nearestSimilarity !== undefined) {
    parts.push(`nearest similarity ${miss.nearestSimilarity.toFixed(3)}`);
    parts.push(`threshold ${miss.threshold.toFixed(2)}`);
    const reasons = miss.guardReasons.map((reason) => GuardReason[reason]).join("+");
    if (reasons !== "") parts.push(`refused by the guard for ${reasons}`);
  }
  const guard = guardName(miss.guard);
  if (guard !== "") parts.push(`guard ${guard}`);
  return `miss: ${parts.join(", ")}`;
}
