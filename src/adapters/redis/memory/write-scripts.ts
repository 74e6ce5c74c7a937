import type { Reply } from "../connection/client.ts";
import { isText, listOf, numberOf, textOf } from "../connection/replies.ts";
import { rows } from "../connection/script.ts";
import { IDEMPOTENCY, replayedOutcome } from "../namespaces/idempotency.ts";
import { defineNamespaceScript, orModelChanged } from "../namespaces/namespace-script.ts";
import { FEED } from "./changes.ts";
import { REVISIONS } from "./revisions.ts";
import { MEMORY, MEMORY_FIELDS, ROW, SUPERSEDED_FIELDS } from "./rows.ts";

type CreateReply =
  | { readonly kind: "replayed"; readonly outcome: string }
  | { readonly kind: "observed"; readonly meets: readonly Reply[] }
  | { readonly kind: "uncounted" }
  | { readonly kind: "written"; readonly positions: readonly number[] };

export const CREATE = defineNamespaceScript({
  file: new URL("./create-memories.lua", import.meta.url),
  libraries: [IDEMPOTENCY, REVISIONS, MEMORY, FEED, ROW],
  effect: "writes",
  arguments: [
    ...(["generation", "countBefore", "outcome", "mayHaveUncounted"] as const),
    rows("items", [
      ...(["itemId", "write", "duplicateKey", "recallKey", "recalledSince", "observed"] as const),
      ...MEMORY_FIELDS,
    ]),
    rows("superseded", ["observedEtag", ...SUPERSEDED_FIELDS]),
  ],
  reply: orModelChanged((reply): CreateReply => {
    const outcome = replayedOutcome(reply);
    if (outcome !== undefined) return { kind: "replayed", outcome };
    const [word, all] = listOf(reply);
    if (isText(word, "UNCOUNTED")) return { kind: "uncounted" };
    if (isText(word, "OBSERVED")) return { kind: "observed", meets: listOf(all) };
    return { kind: "written", positions: listOf(all).map(numberOf) };
  }),
});
export const IMPORT = defineNamespaceScript({
  file: new URL("./import-memories.lua", import.meta.url),
  libraries: [MEMORY, FEED],
  effect: "writes",
  arguments: ["now", "generation", rows("memories", ["position", ...MEMORY_FIELDS])],
  reply: orModelChanged((reply) => listOf(listOf(reply)[1]).map((written) => numberOf(written) === 1)),
});

/** The reply about a memory that must exist. */
export type SingleReply =
  | { readonly kind: "missing" }
  | { readonly kind: "changed"; readonly etag: string }
  /** With the row of the memory, if the script returns one. */
  | { readonly kind: "replayed" | "done"; readonly row?: Reply | undefined };

function singleReply(reply: Reply): SingleReply {
  const [word, second, third] = listOf(reply);
  if (isText(word, "MISSING")) return { kind: "missing" };
  if (isText(word, "CHANGED")) return { kind: "changed", etag: textOf(second) ?? "" };
  if (replayedOutcome(reply) !== undefined) return { kind: "replayed", row: third };
  return { kind: "done", row: second };
}

export const REPLACE = defineNamespaceScript({
  file: new URL("./replace-memory.lua", import.meta.url),
  libraries: [IDEMPOTENCY, REVISIONS, MEMORY, FEED, ROW],
  effect: "writes",
  arguments: ["generation", "expectedEtag", "change", "forgets", rows("memories", MEMORY_FIELDS)],
  reply: orModelChanged(singleReply),
});
export const REPLAY_REPLACE = defineNamespaceScript({
  file: new URL("./replay-replace.lua", import.meta.url),
  libraries: [IDEMPOTENCY, MEMORY, ROW],
  effect: "frees",
  arguments: ["id"],
  reply: singleReply,
});
export const DELETE = defineNamespaceScript({
  file: new URL("./delete-memory.lua", import.meta.url),
  libraries: [IDEMPOTENCY, MEMORY, FEED],
  effect: "frees",
  arguments: ["id", "hasEtag", "expectedEtag"],
  reply: singleReply,
});
