import type { CompactionPolicy } from "../../domain/compaction/run.ts";

/** The server's settings of compactions. Durations in milliseconds. */
export interface CompactionSettings {
  /** Whether the scheduler runs. */
  readonly enabled: boolean;
  /** Of runs that nothing else says anything about. */
  readonly policy: CompactionPolicy;
  readonly checkIntervalMs: number;
  /** So many changes make a scope due before the interval is over. */
  readonly maxChanges: number;
  /** How long a run can be undone. */
  readonly undoMs: number;
  /** When what a run has removed from default reads is deleted; undefined: never. */
  readonly purgeAfterMs: number | undefined;
}

/** How long a plan awaits approval. */
export const APPROVAL_MS = 24 * 3600 * 1000;
/** How long ended runs are kept, at least. */
export const RETENTION_MS = 30 * 24 * 3600 * 1000;
/** A run that is worked on is claimed for so long. */
export const LEASE_MS = 60_000;
