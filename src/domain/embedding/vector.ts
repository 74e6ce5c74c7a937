/**
 * Vectors are Float32Array from the wire to the index, never arrays of numbers. Similarity is cosine similarity, -1 to 1,
 * higher is closer. Stored vectors have unit length, so that the dot product is the cosine.
 */

/** The dot product; the cosine similarity when both vectors have unit length. */
export function dot(a: Float32Array, b: Float32Array): number {
  let sum = 0;
  for (let index = 0; index < a.length; index += 1) sum += (a[index] ?? 0) * (b[index] ?? 0);
  return sum;
}

/** A copy at unit length; undefined when the vector is zero or holds a value that is not finite. */
export function toUnit(vector: Float32Array): Float32Array | undefined {
  const length = Math.sqrt(dot(vector, vector));
  if (!(length > 0) || !Number.isFinite(length)) return undefined;
  const unit = new Float32Array(vector.length);
  for (let index = 0; index < vector.length; index += 1) unit[index] = (vector[index] ?? 0) / length;
  return unit;
}

/** Clamps rounding errors: a cosine similarity is -1 to 1. */
export function clampSimilarity(similarity: number): number {
  return Math.max(-1, Math.min(1, similarity));
}

/**
 * Little-endian float32 bytes as a vector. Copies: a decoded bytes field is a view of the network buffer, which
 * may be unaligned and would be kept alive as long as the vector.
 */
export function vectorFromBytes(bytes: Uint8Array): Float32Array {
  return new Float32Array(new Uint8Array(bytes).buffer);
}

/** The bytes of a vector, sharing its memory. */
export function vectorToBytes(vector: Float32Array): Uint8Array {
  return new Uint8Array(vector.buffer, vector.byteOffset, vector.byteLength);
}
