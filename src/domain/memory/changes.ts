import { digest } from "../../lib/digest.ts";
import { RecollectError } from "../errors.ts";
import type { MemoryState } from "./memory.ts";

/** See WatchMemoriesResponse.Change in memory.proto. */
export type ChangeKind =
  | "CREATED"
  | "UPDATED"
  | "DELETED"
  | "SUPERSEDED"
  | "ARCHIVED"
  | "RESTORED"
  | "EXPIRED";

/** The kind of a change that a compaction, or its undo, makes to a memory. */
export function putKind(before: MemoryState, after: MemoryState): ChangeKind {
  if (before === after || after === "QUARANTINED") return "UPDATED";
  return after === "ACTIVE" ? "RESTORED" : after;
}

/** One change of one memory. It has no content: see docs/design/history.md. */
export interface MemoryChange {
  /** From 1 on, without gaps, in the order of writing within the namespace. */
  readonly sequence: number;
  /** Milliseconds; the clock of the server that wrote it, so it may be earlier than that of the change before. */
  readonly time: number;
  readonly kind: ChangeKind;
  readonly memoryId: string;
}

/** The place behind one change of a feed. */
export interface FeedPosition {
  /** Which creation of the namespace it belongs to; empty: it did not exist. */
  readonly incarnation: string;
  /** Of the change; 0: the beginning of the feed. */
  readonly sequence: number;
  /** Of the change; empty at the beginning. */
  readonly digest: string;
}

/** How much of a feed is kept. */
export interface FeedLimits {
  readonly maxChanges: number;
  readonly retentionMs: number;
}

/** The defaults of the settings. */
export const FEED_LIMITS: FeedLimits = { maxChanges: 100_000, retentionMs: 7 * 24 * 3_600_000 };

/** Why changes after a position cannot be given: the `cause` of CHANGES_LOST. */
export type LossCause = "trimmed" | "namespace_deleted" | "store_replaced";

/**
 * A row of a stored feed: a change, or with sequence 0 the beginning, which is written with the first change. It is trimmed
 * like a change, so the rule for a position is the same everywhere: its row has to be there.
 */
export type FeedRow = MemoryChange | FeedBeginning;

export interface FeedBeginning {
  readonly sequence: 0;
  readonly time: number;
}

/** What a store has of a feed from a sequence on. */
export interface StoredFeed {
  readonly incarnation: string;
  /** Sequence of the newest row; 0 also when there is none. */
  readonly last: number;
  /** Ascending, without gaps; the first is the row with that sequence, if it is kept. */
  readonly rows: readonly FeedRow[];
}

export type FeedRead =
  | {
      readonly kind: "changes";
      readonly changes: readonly MemoryChange[];
      /** Behind the last of them; without any, the same position, in the namespace that has come to exist. */
      readonly position: FeedPosition;
    }
  | { readonly kind: "lost"; readonly cause: LossCause };

/** 16 hexadecimal digits. */
export function changeDigest({ sequence, time, kind, memoryId }: MemoryChange): string {
  return digest(String(sequence), String(time), kind, memoryId).slice(0, 16);
}

export function positionAfter(incarnation: string, change: MemoryChange): FeedPosition {
  return { incarnation, sequence: change.sequence, digest: changeDigest(change) };
}

/** The position behind the newest row; undefined: the namespace does not exist. */
export function endOfFeed(
  stored: { readonly incarnation: string; readonly newest: FeedRow | undefined } | undefined,
): FeedPosition {
  const { incarnation = "", newest } = stored ?? {};
  return newest === undefined || newest.sequence === 0
    ? { incarnation, sequence: 0, digest: "" }
    : positionAfter(incarnation, newest as MemoryChange);
}

/**
 * The changes after a position, given the rows from its sequence on; undefined: the namespace does not exist. A position
 * that has changes after it which the feed no longer has, or may have others in their place, is lost.
 */
export function changesAfter(after: FeedPosition, stored: StoredFeed | undefined): FeedRead {
  if (stored === undefined) {
    return after.incarnation === ""
      ? { kind: "changes", changes: [], position: after }
      : { kind: "lost", cause: "namespace_deleted" };
  }
  const { incarnation, last, rows } = stored;
  if (after.incarnation !== "" && after.incarnation !== incarnation) {
    return { kind: "lost", cause: "namespace_deleted" };
  }
  if (after.sequence > last) return { kind: "lost", cause: "store_replaced" };
  const [own, ...following] = rows;
  if (own === undefined && last === 0) {
    return { kind: "changes", changes: [], position: { ...after, incarnation } };
  }
  if (own?.sequence !== after.sequence) return { kind: "lost", cause: "trimmed" };
  if (own.sequence > 0 && changeDigest(own as MemoryChange) !== after.digest) {
    return { kind: "lost", cause: "store_replaced" };
  }
  const changes = following as readonly MemoryChange[];
  const newest = changes.at(-1);
  const position = newest === undefined ? { ...after, incarnation } : positionAfter(incarnation, newest);
  return { kind: "changes", changes, position };
}

/** How many rows beyond those of its own changes a write trims at most, so that a lowered limit delays no write for long. */
export const TRIM_STEP = 20;

/**
 * The first sequence to keep, given the oldest rows in order. So many rows before the newest change are kept as there may be
 * changes, for the position behind the last trimmed one is still good. A row goes for its age only together with all before
 * it, and when the row behind it is too old as well: a watcher that has seen everything has lost nothing.
 */
export function firstKept(
  oldest: readonly FeedRow[],
  last: number,
  { maxChanges, retentionMs }: FeedLimits,
  now: number,
): number {
  let first = oldest[0]?.sequence ?? 0;
  for (const next of oldest.slice(1)) {
    const isBeyond = next.sequence <= last - maxChanges || next.time <= now - retentionMs;
    if (!isBeyond) break;
    first = next.sequence;
  }
  return first;
}

/** Throws PAGE_TOKEN_INVALID when sealFeedToken did not make it for this namespace. */
export function openFeedToken(token: string, feed: string): FeedPosition {
  const parts = parse(token);
  if (!Array.isArray(parts)) throw invalid("not a resume token of WatchMemories");
  const [version, incarnation, sequence, changed, hash] = parts as unknown[];
  const isPosition =
    version === "w1" &&
    typeof incarnation === "string" &&
    Number.isSafeInteger(sequence) &&
    (sequence as number) >= 0 &&
    typeof changed === "string";
  if (!isPosition) throw invalid("not a resume token of WatchMemories");
  if (hash !== feedHash(feed)) throw invalid("made for another namespace");
  return { incarnation, sequence: sequence as number, digest: changed };
}

/**
 * A resume token: the position and a hash of the tenant and namespace, as base64url of JSON. It is opaque to callers, and
 * needs no signature: a forged one reads changes that the caller may read anyway.
 */
export function sealFeedToken(
  { incarnation, sequence, digest: changed }: FeedPosition,
  feed: string,
): string {
  return Buffer.from(JSON.stringify(["w1", incarnation, sequence, changed, feedHash(feed)])).toString(
    "base64url",
  );
}

function parse(token: string): unknown {
  try {
    return JSON.parse(Buffer.from(token, "base64url").toString("utf8"));
  } catch {
    return undefined;
  }
}

function feedHash(feed: string): string {
  return digest(feed).slice(0, 16);
}

function invalid(description: string): RecollectError {
  const field = "resume_token";
  return new RecollectError("PAGE_TOKEN_INVALID", `${field}: ${description}`, {
    metadata: { field },
    violations: [{ field, description }],
  });
}

const LOSS: Readonly<Record<LossCause, string>> = {
  trimmed: "changes after the resume token are no longer kept",
  namespace_deleted: "the namespace of the resume token was deleted",
  store_replaced: "the store went back to an older state, before the resume token",
};

export function changesLost(cause: LossCause): RecollectError {
  return new RecollectError(
    "CHANGES_LOST",
    `${LOSS[cause]}: read the namespace anew, then watch from now on`,
    {
      metadata: { cause },
    },
  );
}
