import { RecollectError } from "../../domain/errors.ts";

/** A value as it lies in the field `rec` of a HASH: JSON. The one place that knows how. */
export function packRecord(value: object): Buffer {
  return Buffer.from(JSON.stringify(value));
}

/** The value again. Throws STORE_CORRUPT, naming `what`, when it is none. */
export function unpackRecord<T>(bytes: Buffer, what: string): T {
  try {
    return JSON.parse(bytes.toString()) as T;
  } catch (error) {
    throw new RecollectError("STORE_CORRUPT", `${what} is damaged in Redis`, {
      metadata: { backend: "redis", damaged: what },
      cause: error,
    });
  }
}
