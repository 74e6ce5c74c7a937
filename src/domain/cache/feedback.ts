import { digest } from "../../lib/digest.ts";
import { canonicalJson, type Json } from "../../lib/json.ts";
import type { CacheEntry } from "./entry.ts";

/** What a caller reports about a served answer: it was right, it answers another question, or it used to be right. */
export type ReportedOutcome = "CORRECT" | "INCORRECT" | "STALE";

/** A report about the answer that a decision served. */
export interface OutcomeReport {
  readonly outcome: ReportedOutcome;
  readonly entryId: string;
  /** The createTime of the answer; a replaced one has another. */
  readonly createTime: number;
  /** The prompt that the answer was served for; see cacheEntryId. */
  readonly promptId: string;
  /** Identifies the caller and its namespace; see decisionRecipient. */
  readonly reporter: string;
  /** Similarity of that prompt and the entry's; 1 for an exact match. */
  readonly similarity: number;
}

/** What reports have changed about an entry. A replaced answer has none. */
export interface EntryFeedback {
  /** A prompt whose similarity is not above this does not match by meaning; 0: any may. */
  readonly floor: number;
  /** Prompts for which the answer is not served, and who reported it; the last MAX_VETOES. */
  readonly vetoes: readonly { readonly promptId: string; readonly reporter: string }[];
  /** The answer is not served at all. */
  readonly quarantined: boolean;
}

export const MAX_VETOES = 16;

/** Vetoes that differ in prompt or in reporter, from which on an entry is quarantined. */
export const QUARANTINE_AT = 2;

/** The share of its remaining lifetime that a STALE report leaves to an entry. */
const STALE_SHARE = 0.1;

/** Above the rounding of a similarity to float32 in the token. */
const SIMILARITY_STEP = 1e-6;

/** Whether an entry is not served for a prompt. `similarity` undefined: it is the entry's own prompt. */
export function isVetoed(
  feedback: EntryFeedback | undefined,
  { promptId, similarity }: { readonly promptId: string; readonly similarity?: number },
): boolean {
  if (feedback === undefined) return false;
  return (
    feedback.quarantined ||
    (similarity !== undefined && similarity <= feedback.floor) ||
    feedback.vetoes.some((veto) => veto.promptId === promptId)
  );
}

/**
 * The entry after a report: with another etag when it has changed, and the same object when not. INCORRECT vetoes the prompt
 * and raises the floor above its similarity, so that no prompt as far from the entry's is served either; a repeated report
 * changes nothing. STALE leaves a tenth of the remaining lifetime, in which the entry is due for a refresh.
 */
export function applyReport(entry: CacheEntry, report: OutcomeReport, now: number): CacheEntry {
  const { promptId, reporter, similarity } = report;
  switch (report.outcome) {
    case "CORRECT":
      return entry;
    case "STALE": {
      const expireTime = now + Math.floor(Math.max(0, entry.expireTime - now) * STALE_SHARE);
      const due = entry.dueTime === undefined ? {} : { dueTime: Math.min(entry.dueTime, now) };
      return withNewEtag({ ...entry, expireTime, ...due });
    }
    case "INCORRECT": {
      const { floor = 0, vetoes = [] } = entry.feedback ?? {};
      if (vetoes.some((veto) => veto.promptId === promptId && veto.reporter === reporter)) return entry;
      const all = [...vetoes, { promptId, reporter }];
      const feedback: EntryFeedback = {
        floor: Math.max(floor, similarity + SIMILARITY_STEP),
        vetoes: all.slice(-MAX_VETOES),
        quarantined: all.length >= QUARANTINE_AT,
      };
      return withNewEtag({ ...entry, feedback });
    }
  }
}

function withNewEtag(entry: CacheEntry): CacheEntry {
  const { etag, expireTime, feedback = null } = entry;
  const changed = canonicalJson({ expireTime, feedback: feedback as unknown as Json });
  return { ...entry, etag: digest(etag, changed).slice(0, 32) };
}
