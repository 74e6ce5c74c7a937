import { RecollectError } from "../../../domain/errors.ts";

/** The first words of errors of a Redis that cannot serve now and may do so soon. */
const UNAVAILABLE = [
  "LOADING",
  "BUSY",
  "MASTERDOWN",
  "READONLY",
  "CLUSTERDOWN",
  "TRYAGAIN",
  // A slot of a cluster is on its way to another server, or has been all the time that was given.
  "ASK",
  "MOVED",
  "NOREPLICAS",
  "MISCONF",
  "NOAUTH",
  "WRONGPASS",
  "NOPERM",
] as const;

/** A script met a key of its slot that is on its way to another server. */
const NOT_LOCAL = "attempted to access a non local key";

/** The retry delay; a failover takes some seconds. */
const RETRY_AFTER_MS = 1000;

/** For callers that may retry soon. */
export function unavailable(message: string, cause?: Error): RecollectError {
  return new RecollectError("STORE_UNAVAILABLE", message, {
    metadata: { backend: "redis" },
    retryAfterMs: RETRY_AFTER_MS,
    ...(cause === undefined ? {} : { cause }),
  });
}

/** The error of a failed command for callers. Errors that are not about the state of the server stay as they are. */
export function storeError(error: unknown): unknown {
  if (!(error instanceof Error) || error instanceof RecollectError) return error;
  const word = error.message.split(" ", 1)[0] ?? "";
  // A command that runs in a script says it in the middle.
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

/** For a start that is refused: what is wrong with a Redis, or with how it is configured. */
export function refused(message: string): RecollectError {
  return new RecollectError("STORE_UNAVAILABLE", message, { metadata: { backend: "redis" } });
}

/** Whether the user of Redis has no permission for a command. */
export function isForbidden(error: unknown): boolean {
  if (!(error instanceof RecollectError)) return false;
  const { cause } = error.detail;
  return cause instanceof Error && cause.message.startsWith("NOPERM");
}
