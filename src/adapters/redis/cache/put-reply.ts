import type { PutRefusal } from "../../../ports/cache/cache-store.ts";
import type { Reply } from "../connection/client.ts";
import { isText, listOf, numberOf, textOf } from "../connection/replies.ts";
import { replayedOutcome } from "../namespaces/idempotency.ts";
import { type RemovedEntries, removedEntries } from "./removed-entries.ts";

export type PutReply =
  | {
      readonly kind: "written";
      readonly outcome: PutOutcome;
      readonly evicted: number;
      readonly removed: RemovedEntries;
    }
  /** One call did not remove enough. */
  | { readonly kind: "again"; readonly evicted: number; readonly removed: RemovedEntries }
  | { readonly kind: "invalidated" }
  | { readonly kind: "replayed"; readonly outcome: PutOutcome };

export interface PutOutcome {
  readonly id: string;
  readonly replaced: boolean;
  readonly refused?: PutRefusal;
}

/** The reply of put-cache-entry.lua. Throws REQUEST_ID_REUSED. */
export function putReply(reply: Reply): PutReply {
  const replayed = replayedOutcome(reply);
  if (replayed !== undefined) return { kind: "replayed", outcome: outcomeOf(replayed) };
  const [word, ...rest] = listOf(reply);
  const removed = removedEntries(reply);
  if (isText(word, "AGAIN")) return { kind: "again", evicted: numberOf(rest[0]), removed };
  if (isText(word, "INVALIDATED")) return { kind: "invalidated" };
  return { kind: "written", outcome: outcomeOf(textOf(rest[0]) ?? ""), evicted: numberOf(rest[1]), removed };
}

const REFUSALS: Readonly<Record<string, PutRefusal>> = {
  not_admitted: "NOT_ADMITTED",
  too_large: "TOO_LARGE",
};

/** See put-cache-entry.lua. */
function outcomeOf(outcome: string): PutOutcome {
  const end = outcome.indexOf(" ");
  const word = outcome.slice(0, end);
  const refused = REFUSALS[word];
  const id = outcome.slice(end + 1);
  return { id, replaced: word === "replaced", ...(refused === undefined ? {} : { refused }) };
}
