import { canonicalJson, type Json, type JsonObject } from "../../lib/json.ts";
import {
  isExpired,
  isValidAt,
  type MemoryKind,
  type MemoryState,
  type StoredMemory,
  stateAt,
} from "./memory.ts";

/** start <= time < end; an absent bound is open. */
export interface TimeRange {
  readonly start?: number;
  readonly end?: number;
}

/** min <= value <= max; an absent bound is open. */
export interface NumberRange {
  readonly min?: number;
  readonly max?: number;
}

/** All conditions must hold. An absent field is no condition; an empty list matches nothing. */
export interface MemoryFilter {
  readonly userId?: string;
  readonly agentId?: string;
  readonly sessionId?: string;
  readonly author?: string;
  readonly kinds?: readonly MemoryKind[];
  readonly tagsAny?: readonly string[];
  readonly tagsAll?: readonly string[];
  readonly tagsNone?: readonly string[];
  /** Scalars that the metadata must contain at their paths, in the form of `metadataTokens`. */
  readonly metadata?: readonly string[];
  readonly createTime?: TimeRange;
  readonly eventTime?: TimeRange;
  readonly lastAccessTime?: TimeRange;
  readonly importance?: NumberRange;
  readonly pinned?: boolean;
  /**
   * Passes memories as of this time, milliseconds since the epoch: stored by then, in one of `states` then, and valid then.
   * Absent: those of now, whatever their validity.
   */
  readonly asOf?: number;
  /** Never empty; by default ["ACTIVE"]. */
  readonly states: readonly MemoryState[];
}

export const ACTIVE_ONLY: MemoryFilter = { states: ["ACTIVE"] };

/** The default filter of an export. */
export const EVERY_STATE: MemoryFilter = { states: ["ACTIVE", "SUPERSEDED", "ARCHIVED", "QUARANTINED"] };

/**
 * Whether a memory passes a filter. The reference implementation: stores may be faster, but must return the same, which
 * their tests check.
 */
export function matchesFilter(memory: StoredMemory, filter: MemoryFilter, now: number): boolean {
  return (
    !isExpired(memory, now) &&
    inTimeOf(memory, filter) &&
    (filter.userId === undefined || memory.userId === filter.userId) &&
    (filter.agentId === undefined || memory.agentId === filter.agentId) &&
    (filter.sessionId === undefined || memory.sessionId === filter.sessionId) &&
    (filter.author === undefined || memory.author === filter.author) &&
    (filter.kinds === undefined || filter.kinds.includes(memory.kind)) &&
    (filter.tagsAny === undefined || filter.tagsAny.some((tag) => memory.tags.includes(tag))) &&
    (filter.tagsAll === undefined || filter.tagsAll.every((tag) => memory.tags.includes(tag))) &&
    (filter.tagsNone === undefined || !filter.tagsNone.some((tag) => memory.tags.includes(tag))) &&
    (filter.metadata === undefined || containsAll(metadataTokens(memory.metadata), filter.metadata)) &&
    inTime(memory.createTime, filter.createTime) &&
    inTime(memory.eventTime, filter.eventTime) &&
    inTime(memory.access?.lastAccessTime, filter.lastAccessTime) &&
    inNumbers(memory.importance, filter.importance) &&
    (filter.pinned === undefined || memory.pinned === filter.pinned)
  );
}

function inTimeOf(memory: StoredMemory, { states, asOf }: MemoryFilter): boolean {
  if (asOf === undefined) return states.includes(memory.state);
  return memory.createTime <= asOf && states.includes(stateAt(memory, asOf)) && isValidAt(memory, asOf);
}

/**
 * The scalars of a JSON object, each with its path, as strings that are equal exactly when path, type and value
 * are: `["a","b"]=1`. Lists are skipped: a filter cannot compare lists, and their members have no path.
 */
export function metadataTokens(metadata: JsonObject): string[] {
  const tokens: string[] = [];
  const visit = (value: Json, path: readonly string[]): void => {
    if (Array.isArray(value)) return;
    if (value !== null && typeof value === "object") {
      for (const [key, child] of Object.entries(value as JsonObject)) visit(child, [...path, key]);
      return;
    }
    tokens.push(`${JSON.stringify(path)}=${canonicalJson(value)}`);
  };
  visit(metadata, []);
  return tokens;
}

function containsAll(tokens: readonly string[], required: readonly string[]): boolean {
  const set = new Set(tokens);
  return required.every((token) => set.has(token));
}

function inTime(time: number | undefined, range: TimeRange | undefined): boolean {
  if (range === undefined || (range.start === undefined && range.end === undefined)) return true;
  if (time === undefined) return false;
  return (range.start === undefined || time >= range.start) && (range.end === undefined || time < range.end);
}

function inNumbers(value: number, range: NumberRange | undefined): boolean {
  if (range === undefined) return true;
  return (range.min === undefined || value >= range.min) && (range.max === undefined || value <= range.max);
}
