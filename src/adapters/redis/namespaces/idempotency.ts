import { requestIdReused } from "../../../domain/errors.ts";
import type { IdempotentRequest } from "../../../ports/idempotency.ts";
import type { Argument, Reply } from "../connection/client.ts";
import { listOf, textOf } from "../connection/replies.ts";

/** What lua/request.lua takes of a request: body hash and expire time; empty for one that cannot come again. */
export function requestArguments(request: IdempotentRequest | undefined): [Argument, Argument] {
  return request === undefined ? ["", ""] : [request.bodyHash, request.expireTime];
}

/** What the request did before; undefined when the reply is not about that. Throws REQUEST_ID_REUSED. */
export function repeated(reply: Reply | undefined): string | undefined {
  const [word, outcome] = listOf(reply);
  const said = textOf(word);
  if (said === "REUSED") throw requestIdReused();
  return said === "REPEAT" ? textOf(outcome) : undefined;
}
