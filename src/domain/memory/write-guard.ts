import { MAX_METADATA_BYTES } from "./draft.ts";
import { type Content, type Examined, examine, type FoundSecret, redactedPatterns } from "./secrets.ts";

/**
 * What a write does with a secret. FLAG: it is stored, and named in `flags`. REDACT: a marker takes its place. QUARANTINE: the
 * memory is stored, and left out of default reads. REJECT: the write is refused. OFF: writes are not examined.
 */
export type SecretsAction = "FLAG" | "REDACT" | "QUARANTINE" | "REJECT" | "OFF";

/** The settings of the write guards. */
export interface WriteGuardSettings {
  readonly secrets: SecretsAction;
  /** 0: recall loops are not detected; see recall-loop.ts. */
  readonly recallLoopMs: number;
}

/** What the guard makes of a content. */
export interface GuardedContent {
  /** As it may be stored. */
  readonly content: Content;
  /** The flags of secrets: of those in it, and of those that were redacted. Sorted. */
  readonly flags: readonly string[];
  /** The secrets in the fields that the write changes. */
  readonly found: readonly FoundSecret[];
  /** The write must be refused because of `found`. */
  readonly isRefused: boolean;
}

export const BOTH_FIELDS: readonly (keyof Content)[] = ["text", "metadata"];

/** The largest text in bytes, as memory.proto has it. */
const MAX_TEXT_BYTES = 64 * 1024;

/**
 * Applies the action to the fields that a write changes; the others are flagged alone. REDACT refuses a content that would
 * exceed the limits of a memory with its markers.
 */
export function guardContent(
  content: Content,
  action: Exclude<SecretsAction, "OFF">,
  changed = BOTH_FIELDS,
): GuardedContent {
  const examined = examine(content);
  const found = examined?.found.filter(({ field }) => changed.includes(field)) ?? [];
  if (examined === undefined || found.length === 0 || action !== "REDACT") {
    return {
      content,
      flags: flagsOf(content, examined),
      found,
      isRefused: found.length > 0 && action === "REJECT",
    };
  }
  const { text, metadata } = examined.redacted;
  const redacted = {
    text: changed.includes("text") ? text : content.text,
    metadata: changed.includes("metadata") ? metadata : content.metadata,
  };
  const isRefused =
    Buffer.byteLength(redacted.text) > MAX_TEXT_BYTES ||
    Buffer.byteLength(JSON.stringify(redacted.metadata)) > MAX_METADATA_BYTES;
  return { content: redacted, flags: flagsOf(redacted, examined), found, isRefused };
}

/** The flag of a secret begins with it. */
export const SECRET_FLAG = "secret:";

function flagsOf(content: Content, examined: Examined | undefined): string[] {
  const patterns = [...(examined?.found ?? []).map(({ pattern }) => pattern), ...redactedPatterns(content)];
  return [...new Set(patterns)].sort().map((pattern) => SECRET_FLAG + pattern);
}
