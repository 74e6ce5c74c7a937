import type { Memory } from "../memory/memory.ts";
import type { SurvivorFields } from "./apply-group.ts";
import { isUnchanged, mergeInto } from "./merge.ts";

/** The fields of a survivor that change when these memories are merged into it; none when it has all that they carry. */
export function mergedFields(survivor: Memory, members: readonly Memory[]): SurvivorFields {
  const merged = mergeInto(survivor, members);
  // A conflict: the plan has been made of other versions. The group's etags say so, and it is dropped.
  if (typeof merged === "string" || isUnchanged(survivor, merged)) return {};
  const { tags, importance, sourceIds, expireTime = "never" } = merged;
  return { tags, importance, sourceIds, expireTime };
}
