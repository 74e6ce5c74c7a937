import { hash } from "node:crypto";

/** Bytes that SHA-256 takes at a time. */
const BLOCK_BYTES = 64;
const DIGEST_BYTES = 32;

/** Messages up to so long are written behind the key, in memory that is kept for it. */
const SHORT_BYTES = 512;

/** Signs a message: HMAC-SHA-256, lower-case hex, 64 characters. */
export type Hmac = (message: Uint8Array) => string;

/**
 * HMAC-SHA-256 under one key (RFC 2104): SHA-256 over the key and a SHA-256 over the key and the message. Node's
 * createHmac makes a stream with a native object for each message; two hashes in one call each take a third of its time
 * (measured). Throws a RangeError for a key of more than 64 bytes, which would have to be hashed first.
 */
export function hmacUnder(key: Uint8Array): Hmac {
  if (key.length > BLOCK_BYTES) throw new RangeError("a key has 64 bytes at most");
  const inner = padded(key, 0x36, SHORT_BYTES);
  const outer = padded(key, 0x5c, DIGEST_BYTES);
  return (message) => {
    outer.write(hash("sha256", behind(inner, message)), BLOCK_BYTES, "hex");
    return hash("sha256", outer);
  };
}

function behind(inner: Buffer, message: Uint8Array): Buffer {
  if (message.length > SHORT_BYTES) return Buffer.concat([inner.subarray(0, BLOCK_BYTES), message]);
  inner.set(message, BLOCK_BYTES);
  return inner.subarray(0, BLOCK_BYTES + message.length);
}

/** The key over a block of one byte, with room behind it. */
function padded(key: Uint8Array, pad: number, room: number): Buffer {
  const bytes = Buffer.alloc(BLOCK_BYTES + room, pad);
  for (const [index, byte] of key.entries()) bytes[index] = byte ^ pad;
  return bytes;
}
