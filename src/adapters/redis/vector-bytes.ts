/** A vector as RediSearch takes it: float32, little-endian, which is the order of every machine that Node runs on. */
export function vectorBytes(vector: Float32Array): Buffer {
  return Buffer.from(vector.buffer, vector.byteOffset, vector.byteLength);
}

/** The vector in these bytes, copied: a reply may lie at any offset. */
export function vectorOf(bytes: Buffer): Float32Array {
  return new Float32Array(Uint8Array.from(bytes).buffer);
}
