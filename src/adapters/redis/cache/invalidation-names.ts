import { hash } from "node:crypto";
import type { CacheEntry } from "../../../domain/cache/entry.ts";
import type { InvalidationFilter } from "../../../domain/cache/invalidation.ts";

/** An invalidation that is not swept yet: its name and generation. See invalidation-library.lua. */
export interface PendingInvalidation {
  readonly name: string;
  readonly generation: number;
}

/** The invalidations of a namespace, as a read of entries returns them. */
export interface Invalidations {
  /** Of the last one; 0: none. */
  readonly generation: number;
  /** Undefined: more than MAX_PENDING. */
  readonly pending: readonly PendingInvalidation[] | undefined;
}

export const NO_INVALIDATIONS: Invalidations = { generation: 0, pending: [] };

/**
 * Most pending invalidations that a read returns. With more, no entry that was put before the last one is found by vector,
 * until they are swept.
 */
export const MAX_PENDING = 64;

const DIGITS = 20;

/** The parts of an entry, by which invalidations match it: see invalidation-library.lua. */
export function partsOf({
  model,
  knowledge,
  tags,
}: Pick<CacheEntry, "model" | "knowledge" | "tags">): string {
  const tagParts = [...new Set(tags)].map((tag) => part("t", tag));
  return [part("m", model), knowledge === "" ? "" : part("k", knowledge), ...tagParts].join("");
}

/** The names of an invalidation by this filter: one, or one for each tag. */
export function invalidationNames({ model, knowledge, tagsAny }: InvalidationFilter): string[] {
  const base = [
    model === undefined ? "" : part("m", model),
    knowledge === undefined ? "" : part("k", knowledge),
  ].join("");
  return tagsAny === undefined
    ? [base === "" ? "*" : base]
    : [...new Set(tagsAny)].map((tag) => base + part("t", tag));
}

/** Whether an invalidation matches the entry with this stamp; undefined: an entry without a stamp. */
export function isInvalidated({ generation, pending }: Invalidations, stamp: string | undefined): boolean {
  if (pending?.length === 0) return false;
  const at = stamp?.indexOf(":") ?? -1;
  if (stamp === undefined || at === -1) return true;
  const putAt = Number(stamp.slice(0, at));
  if (putAt >= generation) return false;
  if (pending === undefined) return true;
  const later = pending.filter((one) => one.generation > putAt).map(({ name }) => name);
  return isNamed(later, stamp.slice(at + 1));
}

/** Whether one of the names is that of an invalidation that matches an entry with these parts. */
export function isNamed(names: readonly string[], parts: string): boolean {
  const present = new Set(partsIn(parts));
  return names.some((name) => partsIn(name).every((wanted) => present.has(wanted)));
}

/** `*` has none. */
function partsIn(text: string): string[] {
  return text.match(/[mkt][0-9a-f]+/g) ?? [];
}

function part(kind: "m" | "k" | "t", value: string): string {
  return kind + hash("sha256", value).slice(0, DIGITS);
}
