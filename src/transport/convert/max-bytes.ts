import type { CacheEntry } from "../../domain/cache/entry.ts";
import type { StoredMemory } from "../../domain/memory/memory.ts";
import type { RevisedMemory } from "../../domain/memory/revision.ts";
import type { Json, JsonObject } from "../../lib/json.ts";

/** UTF-8 of one UTF-16 unit takes at most three bytes; the two units of a surrogate pair take four together. */
const BYTES_A_UNIT = 3;
/** A tag of at most two bytes and a length of at most four, which is enough below 256 MiB. */
const HEAD_BYTES = 6;
/**
 * The heads of the fields that a message has once, and all fields of fixed length: 15 heads, 7 times of at most 20
 * bytes, and some 70 bytes of numbers, flags and enums.
 */
const FIXED_BYTES = 512;
/** A value in a google.protobuf.Struct: tags and lengths of its entry, key, value and kind, and a double. */
const JSON_VALUE_BYTES = 4 * HEAD_BYTES + 8;

/** Upper bound of the bytes of a memory in a response, with its tag and length, from the lengths of its texts alone. */
export function maxMemoryBytes(
  memory: RevisedMemory & Partial<Pick<StoredMemory, "embedding">>,
  namespace: string,
): number {
  const { embedding } = memory;
  const units =
    memory.text.length +
    memory.id.length +
    namespace.length +
    memory.userId.length +
    memory.agentId.length +
    memory.sessionId.length +
    memory.role.length +
    memory.author.length +
    memory.supersededBy.length +
    memory.etag.length +
    (embedding?.provider.length ?? 0) +
    (embedding?.model.length ?? 0);
  return (
    FIXED_BYTES +
    BYTES_A_UNIT * units +
    maxTextsBytes(memory.tags) +
    maxTextsBytes(memory.sourceIds) +
    (memory.supersedes === undefined ? 0 : maxTextsBytes(memory.supersedes)) +
    (memory.flags === undefined ? 0 : maxTextsBytes(memory.flags)) +
    objectMostBytes(memory.metadata)
  );
}

/** The same for a cache entry. */
export function maxEntryBytes(entry: CacheEntry, namespace: string): number {
  const units =
    entry.prompt.length +
    entry.response.length +
    entry.id.length +
    namespace.length +
    entry.model.length +
    entry.etag.length;
  return FIXED_BYTES + BYTES_A_UNIT * units + maxTextsBytes(entry.tags) + objectMostBytes(entry.metadata);
}

/** Upper bound of the bytes of a repeated string field. */
export function maxTextsBytes(texts: readonly string[]): number {
  let bytes = 0;
  for (const text of texts) bytes += HEAD_BYTES + BYTES_A_UNIT * text.length;
  return bytes;
}

function objectMostBytes(object: JsonObject): number {
  let bytes = 0;
  for (const key in object) {
    bytes += BYTES_A_UNIT * key.length + valueMostBytes(object[key] ?? null);
  }
  return bytes;
}

function valueMostBytes(value: Json): number {
  if (typeof value === "string") return JSON_VALUE_BYTES + BYTES_A_UNIT * value.length;
  if (value === null || typeof value !== "object") return JSON_VALUE_BYTES;
  if (!Array.isArray(value)) return JSON_VALUE_BYTES + objectMostBytes(value as JsonObject);
  let bytes = JSON_VALUE_BYTES;
  for (const item of value) bytes += valueMostBytes(item);
  return bytes;
}
