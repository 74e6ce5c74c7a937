import { RecollectError } from "../../domain/errors.ts";

/** What Redis says, by the first word, when it cannot serve now and may do so soon. */
const UNAVAILABLE = [
  "LOADING",
  "BUSY",
  "MASTERDOWN",
  "READONLY",
  "CLUSTERDOWN",
  "TRYAGAIN",
  "NOREPLICAS",
  "MISCONF",
  "NOAUTH",
  "WRONGPASS",
  "NOPERM",
] as const;

/** When it is worth trying again; a failover takes some seconds. */
export const RETRY_AFTER_MS = 1000;

/** What a failed command means to a caller. What is no fault of the server's state is thrown on as it is. */
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
  const refused = UNAVAILABLE.some((said) => said === word || error.message.includes(`-${said} `));
  if (refused || error.name !== "ReplyError") {
    return new RecollectError("STORE_UNAVAILABLE", "Redis cannot be reached, or cannot serve now", {
      metadata: { backend: "redis" },
      retryAfterMs: RETRY_AFTER_MS,
      cause: error,
    });
  }
  return error;
}
