import { invalidField } from "../errors.ts";
import { checkDraft, type MemoryDraft } from "./draft.ts";
import type { MemoryState } from "./memory.ts";

/** A memory from an export: a draft, and the fields that the exporting server had set. */
export interface ImportedDraft extends MemoryDraft {
  /** Absent: the time of the import. */
  readonly createTime?: number;
  /** Absent: `createTime`. */
  readonly updateTime?: number;
  readonly state: MemoryState;
  readonly supersededBy: string;
  /** 0: none. */
  readonly sessionPosition: number;
}

/** Leaves as many higher positions to assign: they are 32 bits wide. */
export const MAX_IMPORTED_POSITION = 1_000_000_000;
const MAX_ID_LENGTH = 128;

/**
 * Throws REQUEST_INVALID, naming the field below `path`, when the draft breaks a rule. It may have expired since its
 * export.
 */
export function checkImported(draft: ImportedDraft, path: string, now: number): void {
  if (draft.id === "")
    throw invalidField(`${path}.id`, "is required: it identifies memories that were imported before");
  if (draft.ttlMs !== undefined)
    throw invalidField(`${path}.ttl`, "is not supported in an import; use expire_time");
  const { sessionPosition, createTime = now, updateTime = createTime } = draft;
  if (sessionPosition < 0 || sessionPosition > MAX_IMPORTED_POSITION) {
    throw invalidField(`${path}.session_position`, `must be 0 to ${MAX_IMPORTED_POSITION}`);
  }
  if (updateTime < createTime) throw invalidField(`${path}.update_time`, "must not be before create_time");
  if (draft.supersededBy.length > MAX_ID_LENGTH) {
    throw invalidField(`${path}.superseded_by`, `must be at most ${MAX_ID_LENGTH} characters`);
  }
  checkDraft(draft, path, Number.NEGATIVE_INFINITY);
}
