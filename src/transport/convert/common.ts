import type { JsonObject as ProtoJsonObject } from "@bufbuild/protobuf";
import {
  type Duration,
  durationFromMs,
  durationMs,
  type Timestamp,
  timestampFromMs,
} from "@bufbuild/protobuf/wkt";
import { invalidField } from "../../domain/errors.ts";
import type { JsonObject } from "../../lib/json.ts";

/** An empty proto string as undefined. */
export function nonEmptyText(text: string): string | undefined {
  return text === "" ? undefined : text;
}

/** An empty list as undefined. */
export function nonEmptyList<T>(list: readonly T[]): readonly T[] | undefined {
  return list.length === 0 ? undefined : list;
}

/** An empty object as undefined. */
export function nonEmptyObject(object: JsonObject): ProtoJsonObject | undefined {
  return Object.keys(object).length === 0 ? undefined : (object as ProtoJsonObject);
}

/** The object without its undefined properties, as exactOptionalPropertyTypes demands of optional ones. */
export function defined<T extends object>(value: T): { [K in keyof T]: Exclude<T[K], undefined> } {
  const result: Partial<T> = {};
  // A loop, because this runs for every memory and entry of a response.
  for (const key in value) if (value[key] !== undefined) result[key] = value[key];
  return result as { [K in keyof T]: Exclude<T[K], undefined> };
}

/**
 * The JSON object of a Struct. Throws REQUEST_INVALID for NaN and infinite numbers; -0 becomes 0, as it is stored and
 * returned.
 */
function toJsonObject(struct: ProtoJsonObject | undefined, path: string): JsonObject {
  if (struct === undefined) return {};
  const holdsNegativeZero = refuseNonFinite(struct, path);
  return (holdsNegativeZero ? JSON.parse(JSON.stringify(struct)) : struct) as JsonObject;
}

/** The same for metadata, whose numbers are compared: also throws for integers of 2^53 or more, which are not exact. */
export function toMetadata(struct: ProtoJsonObject | undefined, path: string): JsonObject {
  const json = toJsonObject(struct, path);
  refuseInexact(json, path);
  return json;
}

function refuseInexact(value: unknown, path: string): void {
  if (typeof value === "number" && Number.isInteger(value) && Math.abs(value) >= 2 ** 53) {
    throw invalidField(path, "whole numbers of 2^53 or more are not exact: send them as text");
  }
  if (value === null || typeof value !== "object") return;
  for (const [key, child] of Object.entries(value)) refuseInexact(child, `${path}.${key}`);
}

/** As toJsonObject; also throws REQUEST_INVALID for more than `maxBytes` of JSON, for which the schema has no rule. */
export function boundedJson(struct: ProtoJsonObject | undefined, path: string, maxBytes: number): JsonObject {
  const json = toJsonObject(struct, path);
  const bytes = Buffer.byteLength(JSON.stringify(json));
  if (bytes > maxBytes)
    throw invalidField(path, `takes ${bytes} bytes as JSON; at most ${maxBytes} are allowed`);
  return json;
}

/** Throws for numbers that are not finite; returns whether one is -0. */
function refuseNonFinite(value: unknown, path: string): boolean {
  if (typeof value === "number" && !Number.isFinite(value))
    throw invalidField(path, "numbers must be finite");
  if (value === null || typeof value !== "object") return Object.is(value, -0);
  let found = false;
  for (const [key, child] of Object.entries(value)) {
    if (refuseNonFinite(child, `${path}.${key}`)) found = true;
  }
  return found;
}

/** The range of google.protobuf.Timestamp: years 1 to 9999. */
const MIN_TIMESTAMP_S = -62_135_596_800n;
const MAX_TIMESTAMP_S = 253_402_300_799n;

/** Milliseconds since the epoch, rounded down. Throws REQUEST_INVALID out of the range of Timestamp. */
export function toMs(timestamp: Timestamp | undefined, path: string): number | undefined {
  if (timestamp === undefined) return undefined;
  const { seconds, nanos } = timestamp;
  if (seconds < MIN_TIMESTAMP_S || seconds > MAX_TIMESTAMP_S || nanos < 0 || nanos > 999_999_999) {
    throw invalidField(path, "must be a time between the years 1 and 9999");
  }
  return Number(seconds) * 1000 + Math.floor(nanos / 1_000_000);
}

export function toDurationMs(duration: Duration | undefined): number | undefined {
  return duration === undefined ? undefined : durationMs(duration);
}

export function fromMs(milliseconds: number | undefined): Timestamp | undefined {
  return milliseconds === undefined ? undefined : timestampFromMs(milliseconds);
}

export function fromDurationMs(milliseconds: number): Duration {
  return durationFromMs(milliseconds);
}
