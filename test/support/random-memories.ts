import type { AccessStatistics, Memory, MemoryKind, MemoryState } from "../../src/domain/memory/memory.ts";
import type { Json, JsonObject } from "../../src/lib/json.ts";
import { DAY, memory, NOW } from "./builders.ts";

/** Numbers in [0, 1). */
export type Random = () => number;

export function pick<T>(random: Random, values: readonly T[]): T {
  const index = Math.floor(random() * values.length);
  if (index >= values.length) throw new RangeError("nothing to pick from");
  return values[index] as T;
}

export function some<T>(random: Random, values: readonly T[], share: number): T[] {
  return values.filter(() => random() < share);
}

export const KINDS: readonly MemoryKind[] = ["EPISODIC", "SEMANTIC", "PROCEDURAL", "MESSAGE", "SUMMARY"];
export const STATES: readonly MemoryState[] = ["ACTIVE", "SUPERSEDED", "ARCHIVED", "QUARANTINED"];

/** Names and tags that stores may confuse: cases, borders, query syntax, Unicode forms of one letter. */
export const WORDS: readonly string[] = [
  "a",
  "A",
  "b",
  "a b",
  "a,b",
  "a*",
  "O'Neil",
  'x"y',
  "100%",
  "{t}",
  "a\\b",
  "émoji 🎉",
  "e\u0301moji 🎉",
  "𐌰",
  "ключ",
];

/** Values that are easily confused. */
export const SCALARS: readonly Json[] = [
  0,
  -0,
  1,
  1.0,
  "1",
  "1.0",
  1.5,
  -1,
  1e-7,
  5e-324,
  0.1,
  true,
  "true",
  false,
  "false",
  null,
  "null",
  "",
  " ",
  "a",
  "A",
  "ключ 🎉",
  'a"b\\c',
];

const METADATA: readonly ((value: Json, other: Json) => JsonObject)[] = [
  (value) => ({ v: value }),
  (value) => ({ V: value }),
  (value) => ({ v: { w: value } }),
  (value, other) => ({ "v.w": value, v: other }),
  (value, other) => ({ v: [value], x: { y: { z: other } } }),
  (value, other) => ({ v: { w: { x: value } }, x: { y: { z: other } } }),
  (value) => ({ "": value }),
  (value, other) => ({ "ключ 🎉": value, '["v"]=1': other }),
  (value, other) => ({ v: value, w: other }),
  () => ({ v: {} }),
  () => ({}),
];

export function randomMetadata(random: Random): JsonObject {
  return pick(random, METADATA)(pick(random, SCALARS), pick(random, SCALARS));
}

/** Importances with both borders, both zeros, and a decimal rounded to float32. */
export const IMPORTANCES: readonly number[] = [0, -0, 0.25, 0.5, Math.fround(0.7), 0.7, 1];

/** A memory whose fields are taken from short lists, so that many share each value. Written a day before NOW. */
export function randomMemory(random: Random, id: string): Memory {
  const createTime = NOW - DAY - Math.floor(random() * 20);
  return memory({
    id,
    kind: pick(random, KINDS),
    userId: pick(random, ["", ...WORDS]),
    agentId: pick(random, ["", "a", "b"]),
    sessionId: pick(random, ["", "s1", "s 2"]),
    author: pick(random, ["", ...WORDS]),
    tags: some(random, WORDS, 0.25),
    metadata: randomMetadata(random),
    importance: pick(random, IMPORTANCES),
    pinned: random() < 0.3,
    createTime,
    updateTime: createTime + Math.floor(random() * 20),
    state: random() < 0.6 ? "ACTIVE" : pick(random, STATES),
    ...(random() < 0.3 ? { validFrom: createTime + pick(random, [-1, 0, 10, 20]) } : {}),
    ...(random() < 0.3 ? { validUntil: createTime + pick(random, [21, 25, 2 * DAY]) } : {}),
    ...(random() < 0.6 ? { eventTime: NOW - DAY - Math.floor(random() * 20) } : {}),
    ...(random() < 0.4 ? { expireTime: NOW + pick(random, [-1, 0, 1, DAY]) } : {}),
  });
}

/** Some accesses to a memory, the last of them in the day before NOW; undefined for one that never was accessed. */
export function randomAccess(random: Random): AccessStatistics | undefined {
  if (random() < 0.3) return undefined;
  return { accessCount: pick(random, [1, 2, 5]), lastAccessTime: NOW - DAY + Math.floor(random() * 20) };
}
