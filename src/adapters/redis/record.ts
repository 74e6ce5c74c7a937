import { RecollectError } from "../../domain/errors.ts";

/** A stored record: JSON. Other forms begin with another byte than `{`. */
export function packRecord(value: object): Buffer {
  return Buffer.from(JSON.stringify(value));
}

/** Throws STORE_CORRUPT, naming `what`, when that is not what packRecord made. */
export function unpackRecord<T extends object>(bytes: Buffer | undefined, what: string): T {
  try {
    const value: unknown = JSON.parse(bytes?.toString("utf8") ?? "");
    if (typeof value === "object" && value !== null && !Array.isArray(value)) return value as T;
  } catch (error) {
    throw damaged(what, error);
  }
  throw damaged(what, undefined);
}

function damaged(what: string, cause: unknown): RecollectError {
  return new RecollectError("STORE_CORRUPT", `${what} is damaged in Redis`, {
    metadata: { backend: "redis", damaged: what },
    cause,
  });
}
