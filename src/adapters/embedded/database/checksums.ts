import { crc32 } from "node:zlib";
import { vectorToBytes } from "../../../domain/embedding/vector.ts";
import { RecollectError } from "../../../domain/errors.ts";

/**
 * SQLite has no checksums of its own: a flipped bit on the disk would be read as valid data. So every record and vector
 * carries a CRC-32; one that does not match is reported as STORE_CORRUPT and never returned.
 */

const CRC_CHARACTERS = 8;
const CRC_BYTES = 4;

/** A value as JSON after its checksum (8 hexadecimal digits). */
export function encodeRecord(value: object): string {
  const json = JSON.stringify(value);
  return `${crc32(json).toString(16).padStart(CRC_CHARACTERS, "0")}${json}`;
}

/** Decodes a record. Throws STORE_CORRUPT, naming `what`, when the checksum does not match. */
export function decodeRecord<T>(stored: unknown, what: string): T {
  const text = String(stored);
  const json = text.slice(CRC_CHARACTERS);
  if (Number.parseInt(text.slice(0, CRC_CHARACTERS), 16) !== crc32(json)) throw damaged(what);
  return JSON.parse(json) as T;
}

/** The bytes of a vector (little-endian float32), followed by their checksum. */
export function encodeVector(vector: Float32Array): Uint8Array {
  const bytes = new Uint8Array(vector.byteLength + CRC_BYTES);
  bytes.set(vectorToBytes(vector));
  new DataView(bytes.buffer).setUint32(vector.byteLength, crc32(bytes.subarray(0, vector.byteLength)), true);
  return bytes;
}

/** Decodes a vector. Throws STORE_CORRUPT, naming `what`, when the checksum does not match. */
export function decodeVector(stored: unknown, what: string): Float32Array {
  // A copy: the buffer of SQLite may not be aligned.
  const bytes = new Uint8Array(stored as Uint8Array);
  const length = bytes.length - CRC_BYTES;
  const whole = length >= 0 && length % Float32Array.BYTES_PER_ELEMENT === 0;
  if (!whole || new DataView(bytes.buffer).getUint32(length, true) !== crc32(bytes.subarray(0, length))) {
    throw damaged(what);
  }
  return new Float32Array(bytes.buffer, 0, length / Float32Array.BYTES_PER_ELEMENT);
}

function damaged(what: string): RecollectError {
  return new RecollectError("STORE_CORRUPT", `${what} is damaged on disk`, {
    metadata: { backend: "embedded", damaged: what },
  });
}
