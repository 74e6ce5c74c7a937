import { isDeepStrictEqual } from "node:util";
import { invalidField, RecollectError } from "../errors.ts";
import { etagOf, type Memory, type OnDuplicate } from "./memory.ts";

/**
 * The memory after another one has replaced it: SUPERSEDED, with the id of that one. Its update time is the time of the
 * supersession; later than before, even when the clock has not advanced. Takes and returns no access statistics.
 */
export function superseded(memory: Memory, by: string, now: number): Memory {
  const content = {
    ...memory,
    state: "SUPERSEDED" as const,
    supersededBy: by,
    updateTime: Math.max(now, memory.updateTime + 1),
  };
  return { ...content, etag: etagOf(content) };
}

/** MEMORY_NOT_ACTIVE for a memory that is history, which is neither changed nor superseded; undefined for an ACTIVE one. */
export function notActive({
  id,
  state,
  supersededBy,
}: Pick<Memory, "id" | "state" | "supersededBy">): RecollectError | undefined {
  if (state === "ACTIVE") return undefined;
  return new RecollectError("MEMORY_NOT_ACTIVE", `memory ${id} is ${state.toLowerCase()}`, {
    metadata: { id, state, ...(supersededBy === "" ? {} : { superseded_by: supersededBy }) },
    resource: { type: "memory", name: id },
  });
}

/**
 * The memories that a new one supersedes, in the order of its `supersedes`, or the first reason against it: `missing` for an
 * id that `find` does not find, or MEMORY_NOT_ACTIVE. `find` gives the unexpired memory with an id, with what the store
 * needs beside it.
 */
export function toSupersede<Found extends { readonly current: Memory }>(
  { supersedes = [] }: Pick<Memory, "supersedes">,
  find: (id: string) => Found | undefined,
  missing: (id: string) => RecollectError,
): readonly Found[] | RecollectError {
  const all: Found[] = [];
  for (const id of supersedes) {
    const found = find(id);
    if (found === undefined) return missing(id);
    const refusal = notActive(found.current);
    if (refusal !== undefined) return refusal;
    all.push(found);
  }
  return all;
}

/** Throws REQUEST_INVALID, naming the field below `path`, for a draft that replaces itself, or that may be dropped as a duplicate. */
export function checkSupersedes(
  draft: { readonly id: string; readonly supersedes?: readonly string[] },
  onDuplicate: OnDuplicate | undefined,
  path: string,
): void {
  if (draft.supersedes === undefined) return;
  if (draft.supersedes.includes(draft.id)) throw invalidField(`${path}.supersedes`, "contains its own id");
  if (onDuplicate !== undefined && onDuplicate !== "ALLOW") {
    throw invalidField("on_duplicate", `must be ALLOW or unset for a memory with ${path}.supersedes`);
  }
}

/** Throws REQUEST_INVALID when an update asks for other `supersedes` than the memory has; absent: it does not ask. */
export function refuseOtherSupersedes(
  current: Pick<Memory, "supersedes">,
  patch: Pick<Memory, "supersedes">,
): void {
  if (patch.supersedes === undefined || isDeepStrictEqual(patch.supersedes, current.supersedes)) return;
  throw invalidField("memory.supersedes", "cannot be changed; create a memory that supersedes others");
}
