import { type MemoryFilter, metadataTokens, type TimeRange } from "../../src/domain/memory/filter.ts";
import type { StoredMemory } from "../../src/domain/memory/memory.ts";
import { DAY, NOW } from "./builders.ts";
import {
  IMPORTANCES,
  KINDS,
  pick,
  type Random,
  randomMetadata,
  SCALARS,
  STATES,
  some,
  WORDS,
} from "./random-memories.ts";

/** A random condition on one field that the model memory mostly passes. */
type Condition<Field extends keyof MemoryFilter> = (
  random: Random,
  model: StoredMemory,
) => NonNullable<MemoryFilter[Field]>;

/** One condition a field: a new field of MemoryFilter does not compile without its line here. */
const CONDITIONS: { readonly [Field in Exclude<keyof MemoryFilter, "states">]-?: Condition<Field> } = {
  userId: (random, { userId }) => mostly(random, userId, WORDS),
  agentId: (random, { agentId }) => mostly(random, agentId, WORDS),
  sessionId: (random, { sessionId }) => mostly(random, sessionId, WORDS),
  author: (random, { author }) => mostly(random, author, WORDS),
  kinds: (random, { kind }) => maybeEmpty(random, [...new Set([kind, ...some(random, KINDS, 0.2)])]),
  tagsAny: (random, { tags }) => maybeEmpty(random, [...new Set([pick(random, WORDS), ...tags.slice(0, 1)])]),
  tagsAll: (_, { tags }) => tags.slice(0, 2),
  tagsNone: (random, { tags }) =>
    some(
      random,
      WORDS.filter((word) => !tags.includes(word)),
      0.2,
    ),
  metadata: (random, { metadata }) =>
    metadataTokens(mostly(random, metadata, [randomMetadata(random), { v: pick(random, SCALARS) }])),
  createTime: (random, { createTime }) => rangeAround(random, createTime),
  eventTime: (random, { eventTime }) => rangeAround(random, eventTime ?? NOW - DAY),
  lastAccessTime: (random, { access }) => rangeAround(random, access?.lastAccessTime ?? NOW - DAY),
  importance: (random, { importance }) =>
    pick(random, [
      { min: importance },
      { max: importance },
      { min: importance, max: importance },
      { min: pick(random, IMPORTANCES), max: pick(random, IMPORTANCES) },
      {},
    ]),
  asOf: (random, { createTime, updateTime, validFrom = NOW, validUntil = NOW }) =>
    pick(random, [createTime, updateTime, validFrom, validUntil, NOW]) - pick(random, [0, 0, 1]),
  pinned: (random, { pinned }) => mostly(random, pinned, [true, false]),
};

/** A filter of some fields; few filters pass all memories, and few pass none. */
export function randomFilter(random: Random, model: StoredMemory): MemoryFilter {
  const fields = Object.keys(CONDITIONS) as (keyof typeof CONDITIONS)[];
  const wanted = pick(random, [1, 1, 2, 2, 3, 4, fields.length]);
  const chosen = some(random, fields, wanted / fields.length);
  const conditions = chosen.map((field) => [field, CONDITIONS[field](random, model)] as const);
  const states = pick(random, [
    ["ACTIVE" as const],
    STATES,
    [model.state],
    [model.state, "ARCHIVED" as const],
  ]);
  return { states: [...new Set(states)], ...Object.fromEntries(conditions) };
}

/** Number of filters with each field, so that a test can check the coverage of its generator. */
export function fieldsOf(filters: readonly MemoryFilter[]): ReadonlyMap<string, number> {
  return new Map(
    Object.keys(CONDITIONS).map((field) => [field, filters.filter((filter) => field in filter).length]),
  );
}

function mostly<T>(random: Random, likely: T, others: readonly T[]): T {
  return random() < 0.8 ? likely : pick(random, others);
}

/** An empty list is valid: it matches nothing. */
function maybeEmpty<T>(random: Random, list: readonly T[]): readonly T[] {
  return random() < 0.03 ? [] : list;
}

/** Bounds at, just below and just above the time. */
function rangeAround(random: Random, time: number): TimeRange {
  return pick(random, [
    { start: time },
    { start: time + 1 },
    { end: time },
    { end: time + 1 },
    { start: time, end: time + 1 },
    { start: time - 3, end: time + 3 },
    { start: time, end: time },
    {},
  ]);
}
