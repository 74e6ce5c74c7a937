import { MAX_METADATA_BYTES } from "../../domain/memory/draft.ts";

const KIB = 1024;

/**
 * Maximum size of the JSON objects of the API as JSON text, in bytes, by message and field. The schema has no rule for it.
 * Requests that are certainly larger are refused before they are decoded; the conversions measure the others.
 */
export const MAX_JSON_BYTES = {
  "recollect.v1.Memory.metadata": MAX_METADATA_BYTES,
  "recollect.v1.MemoryFilter.metadata": MAX_METADATA_BYTES,
  "recollect.v1.StoreCacheEntryRequest.metadata": MAX_METADATA_BYTES,
  "recollect.v1.CacheScope.parameters": 16 * KIB,
  "recollect.v1.CacheScope.tools": 64 * KIB,
  "recollect.v1.CacheScope.response_format": 64 * KIB,
  "recollect.v1.ChatMessage.extra": 64 * KIB,
} as const;

/** All JSON of a cache scope, with the conversation before the question, in bytes. */
export const MAX_SCOPE_BYTES = 1024 * KIB;
/** The metadata of all memories of one message, in bytes of JSON. */
export const MAX_BATCH_METADATA_BYTES = 2048 * KIB;

/**
 * Values in all JSON objects of one request: objects, lists and scalars, not names. Decoding one takes about a
 * microsecond whatever its size, so that a limit of bytes does not limit the time. A mebibyte of tools has some 40,000.
 */
export const MAX_JSON_VALUES = 50_000;
/** Objects and lists inside one another. */
export const MAX_JSON_DEPTH = 32;

/** A string or bytes field for which the schema has no limit, such as an output-only field; in bytes. */
export const MAX_BYTES_WITHOUT_RULE = 64 * KIB;

/** Repeated fields of imported messages (google.protobuf). */
export const MAX_ITEMS: Readonly<Record<string, number>> = {
  "google.protobuf.FieldMask.paths": 64,
};

/**
 * Messages that each server decompresses at a time. One may become a thousand times as large as the bytes that arrived,
 * and that memory is counted only when it has been decompressed.
 */
export const MAX_DECOMPRESSING = 2;

/** A larger request yields to the event loop between being checked, decoded and served; in bytes. */
export const MAX_BYTES_AT_ONCE = 128 * 1024;
