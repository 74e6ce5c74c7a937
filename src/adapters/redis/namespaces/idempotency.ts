import { requestIdReused } from "../../../domain/errors.ts";
import type { IdempotentRequest } from "../../../ports/idempotency.ts";
import type { Argument, Reply } from "../connection/client.ts";
import { isText, listOf, textOf } from "../connection/replies.ts";
import { defineLibrary } from "../connection/script.ts";

/** For scripts that record the outcome of a request. `request` is the key of its record. */
export const IDEMPOTENCY = defineLibrary({
  file: new URL("./idempotency-library.lua", import.meta.url),
  keys: ["request"],
  arguments: ["bodyHash", "requestExpireTime", "now"],
});

/** The input of the library for a request; empty for one without a request_id. */
export function requestInput(request: IdempotentRequest | undefined): {
  readonly bodyHash: Argument;
  readonly requestExpireTime: Argument;
} {
  return { bodyHash: request?.bodyHash ?? "", requestExpireTime: request?.expireTime ?? "" };
}

/** The recorded outcome of the request; undefined when the request is new. Throws REQUEST_ID_REUSED. */
export function replayedOutcome(reply: Reply): string | undefined {
  const [word, outcome] = listOf(reply);
  if (isText(word, "REUSED")) throw requestIdReused();
  return isText(word, "REPLAY") ? textOf(outcome) : undefined;
}
