import { RecollectError } from "../../../domain/errors.ts";

/** Error codes of a Redis that temporarily cannot serve. */
const UNAVAILABLE = [
  "LOADING",
  "BUSY",
  "MASTERDOWN",
  "READONLY",
  "CLUSTERDOWN",
  "TRYAGAIN",
  // A slot of a cluster is being moved, or was still being moved when the time ran out.
  "ASK",
  "MOVED",
  "NOREPLICAS",
  "MISCONF",
  "NOAUTH",
  "WRONGPASS",
  "NOPERM",
] as const;

/** A script met a key of its slot that is being moved. */
const NOT_LOCAL = "attempted to access a non local key";

/** The retry delay; a failover takes some seconds. */
const RETRY_AFTER_MS = 1000;

/** STORE_UNAVAILABLE with a retry delay. */
export function unavailable(message: string, cause?: Error): RecollectError {
  return new RecollectError("STORE_UNAVAILABLE", message, {
    metadata: { backend: "redis" },
    retryAfterMs: RETRY_AFTER_MS,
    ...(cause === undefined ? {} : { cause }),
  });
}

/** Translates the error of a failed command. Errors that are not about the state of the server stay unchanged. */
export function storeError(error: unknown): unknown {
  if (!(error instanceof Error) || error instanceof RecollectError) return error;
  const word = error.message.split(" ", 1)[0] ?? "";
  // The error of a command inside a script has the code in the middle.
  if (word === "OOM" || error.message.includes("OOM command not allowed")) {
    return new RecollectError("STORE_FULL", "Redis has no memory left", {
      metadata: { backend: "redis" },
      cause: error,
    });
  }
  const isSaid = UNAVAILABLE.some((said) => said === word || error.message.includes(`-${said} `));
  if (isSaid || error.message.includes(NOT_LOCAL) || error.name !== "ReplyError") {
    return unavailable("Redis cannot be reached, or cannot serve now", error);
  }
  return error;
}

/** The error of a refused start: a problem of Redis, or of its configuration. */
export function refused(message: string): RecollectError {
  return new RecollectError("STORE_UNAVAILABLE", message, { metadata: { backend: "redis" } });
}

/** Whether the user of Redis has no permission for a command. */
export function isForbidden(error: unknown): boolean {
  if (!(error instanceof RecollectError)) return false;
  const { cause } = error.detail;
  return cause instanceof Error && cause.message.startsWith("NOPERM");
}
