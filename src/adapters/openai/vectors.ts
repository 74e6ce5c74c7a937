import { EmbeddingFailure } from "../../domain/embedding/failure.ts";
import { toUnit, vectorFromBytes } from "../../domain/embedding/vector.ts";
import { malformed, PROVIDER } from "./failures.ts";

/**
 * The vectors of an answer, in the order of the texts. The answer is validated in full, because compatible servers deviate
 * from the API. Throws MALFORMED, or MISCONFIGURED for another dimension.
 */
export function vectorsOf(answer: unknown, count: number, dimension: number): Float32Array[] {
  const data = isObject(answer) ? answer["data"] : undefined;
  if (!Array.isArray(data)) throw malformed("no list of embeddings");
  if (data.length !== count) throw malformed(`${data.length} embeddings for ${count} texts`);
  const vectors = new Array<Float32Array | undefined>(count);
  for (const [position, item] of data.entries()) {
    const { index = position, embedding } = isObject(item) ? item : {};
    if (typeof index !== "number" || !(index in data) || vectors[index] !== undefined) {
      throw malformed("the indexes of its embeddings are not those of the texts");
    }
    vectors[index] = unitVector(embedding, dimension);
  }
  // All indexes are set: `count` distinct ones.
  return vectors as Float32Array[];
}

/** Whether the vectors came in base64. */
export function isBase64(answer: unknown): boolean {
  const data = isObject(answer) ? answer["data"] : undefined;
  const first: unknown = Array.isArray(data) ? data[0] : undefined;
  return isObject(first) && typeof first["embedding"] === "string";
}

/** The tokens that the provider reports; 0 without a report. */
export function tokensOf(answer: unknown): number {
  const usage = isObject(answer) ? answer["usage"] : undefined;
  const tokens = isObject(usage) ? usage["prompt_tokens"] : undefined;
  return typeof tokens === "number" && tokens > 0 ? tokens : 0;
}

function unitVector(embedding: unknown, dimension: number): Float32Array {
  const vector = floatsOf(embedding);
  if (vector.length !== dimension) {
    throw new EmbeddingFailure(
      "MISCONFIGURED",
      `the embedding model makes vectors of ${vector.length} numbers, and VECTOR_DIM is ${dimension}`,
      { provider: PROVIDER },
    );
  }
  const unit = toUnit(vector);
  if (unit === undefined)
    throw malformed("an embedding is all zeros, or contains a value that is not a number");
  return unit;
}

/** Little-endian float32 in base64, or a list of numbers, independent of the requested format. */
function floatsOf(embedding: unknown): Float32Array {
  if (typeof embedding === "string") {
    const bytes = Buffer.from(embedding, "base64");
    if (bytes.length % Float32Array.BYTES_PER_ELEMENT !== 0) throw malformed("an embedding is incomplete");
    return vectorFromBytes(bytes);
  }
  if (!Array.isArray(embedding)) throw malformed("an embedding is neither base64 nor a list");
  return Float32Array.from(embedding, (value) => (typeof value === "number" ? value : Number.NaN));
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null;
}
