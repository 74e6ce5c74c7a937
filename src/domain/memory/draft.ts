import { canonicalJson, type JsonObject, jsonDepth } from "../../lib/json.ts";
import { invalidField } from "../errors.ts";
import type { MemoryKind } from "./memory.ts";

/** A memory from a request: validated against the schema, not yet by checkDraft. */
export interface MemoryDraft {
  /** Empty: the server makes one. */
  readonly id: string;
  readonly text: string;
  readonly kind: MemoryKind;
  readonly userId: string;
  readonly agentId: string;
  readonly sessionId: string;
  readonly role: string;
  readonly author: string;
  readonly tags: readonly string[];
  readonly metadata: JsonObject;
  readonly importance: number;
  readonly pinned: boolean;
  readonly eventTime?: number;
  readonly validFrom?: number;
  readonly validUntil?: number;
  readonly expireTime?: number;
  readonly ttlMs?: number;
  readonly sourceIds: readonly string[];
  /** Ids of the memories that it replaces; absent when there are none. */
  readonly supersedes?: readonly string[];
  /** See Memory. Of a request: absent, except in an import. */
  readonly flags?: readonly string[];
}

export const MAX_METADATA_BYTES = 16 * 1024;
export const MAX_METADATA_KEYS = 64;
export const MAX_METADATA_DEPTH = 16;

/** Throws REQUEST_INVALID, naming the field below `path`, when the draft breaks a rule. */
export function checkDraft(draft: MemoryDraft, path: string, now: number): void {
  checkMetadata(draft.metadata, `${path}.metadata`);
  if (
    draft.validFrom !== undefined &&
    draft.validUntil !== undefined &&
    draft.validUntil <= draft.validFrom
  ) {
    throw invalidField(`${path}.valid_until`, "must be later than valid_from");
  }
  if (draft.expireTime !== undefined && draft.expireTime <= now) {
    throw invalidField(`${path}.expire_time`, "must be in the future");
  }
}

/** Checks the limits of the metadata of a memory or a cache entry. Throws REQUEST_INVALID. */
export function checkMetadata(metadata: JsonObject, path: string): void {
  const keys = Object.keys(metadata).length;
  if (keys > MAX_METADATA_KEYS) {
    throw invalidField(path, `has ${keys} keys; at most ${MAX_METADATA_KEYS} are allowed`);
  }
  const depth = jsonDepth(metadata);
  if (depth > MAX_METADATA_DEPTH) {
    throw invalidField(path, `is nested ${depth} deep; at most ${MAX_METADATA_DEPTH} is allowed`);
  }
  const bytes = Buffer.byteLength(canonicalJson(metadata));
  if (bytes > MAX_METADATA_BYTES) {
    throw invalidField(path, `takes ${bytes} bytes as JSON; at most ${MAX_METADATA_BYTES} are allowed`);
  }
}
