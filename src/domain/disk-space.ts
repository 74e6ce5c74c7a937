/**
 * What an embedded store keeps back of its disk, so that a full one can still be emptied. A deletion needs space before
 * it gives any: SQLite appends changed pages to its log, and only moves them into the file later.
 */

const MIB = 1024 * 1024;

/**
 * Kept back for deletions, in bytes. Before one runs, what the log holds is moved into the file, which may have to grow
 * by all of it: some 4 MiB (the 1,000 pages after which SQLite moves it), and 8 MiB at most with the write that filled
 * the disk. The other 8 MiB are for the deletion itself: one step of a purge changes 1 to 4 MiB of pages, the keyword
 * index included.
 */
export const RESERVED_BYTES = 16 * MIB;

/**
 * What the log may take while the disk is full, in bytes: twice what it ordinarily has. Left free for the writes that
 * use pages again which deletions have freed, for they go through the log too; a longer log is moved at once.
 */
export const LOG_BYTES = 8 * MIB;

/** A warning comes below so many free bytes: more than a hundred times what one large import request needs. */
const LOW_BYTES = 256 * MIB;
/** And on a larger disk below this share of it, as monitoring of disks usually has it. */
const LOW_SHARE = 0.05;
/** But never above so many free bytes: of a disk of 10 TB a twentieth would last for years. */
const LOW_AT_MOST = 16 * 1024 * MIB;

export interface ReservedSizes {
  readonly reservedBytes: number;
  readonly logBytes: number;
}

export const RESERVED_SIZES: ReservedSizes = { reservedBytes: RESERVED_BYTES, logBytes: LOG_BYTES };

/** What a disk says of itself, in bytes. */
export interface DiskSpace {
  /** What this user may still write. */
  readonly freeBytes: number;
  readonly totalBytes: number;
}

/** How much is to be kept back now. */
export interface ReservedSpacePlan {
  readonly bytes: number;
  /** Whether the store's file may grow; otherwise new data only goes into pages that deletions have freed. */
  readonly mayGrow: boolean;
}

/**
 * What to keep back. With room for everything that is all of it. With less, one that was there is kept as large as the
 * room allows beside the log, and the file may not grow into that room, or each deletion would leave less for the next.
 * One that was never there, as on a disk that is too small for it, holds nobody up.
 */
export function planReservedSpace(
  now: { readonly freeBytes: number; readonly presentBytes: number; readonly logFileBytes: number },
  { reservedBytes, logBytes }: ReservedSizes,
): ReservedSpacePlan {
  const room = now.freeBytes + now.presentBytes + now.logFileBytes;
  if (room >= reservedBytes + logBytes) return { bytes: reservedBytes, mayGrow: true };
  if (now.presentBytes === 0) return { bytes: 0, mayGrow: true };
  // The half that deletions need comes first: others may have taken what was left free for the log.
  return { bytes: Math.max(Math.min(room, reservedBytes / 2), room - logBytes), mayGrow: false };
}

/** Free bytes below which an operator is warned. */
export function lowSpaceBound(totalBytes: number): number {
  return Math.min(LOW_AT_MOST, Math.max(LOW_BYTES, LOW_SHARE * totalBytes));
}

/** What an operator should know of the space; one line each. */
export function spaceWarnings(
  space: DiskSpace | undefined,
  kept: { readonly bytes: number; readonly wantedBytes: number; readonly mayGrow: boolean },
): string[] {
  const warnings: string[] = [];
  if (space !== undefined && space.freeBytes < lowSpaceBound(space.totalBytes)) {
    warnings.push(
      `the disk of DATA_DIR has ${mebibytes(space.freeBytes)} free of ${mebibytes(space.totalBytes)}: ` +
        "when it is full, everything but reads and deletions is refused (STORE_FULL)",
    );
  }
  if (!kept.mayGrow) {
    warnings.push("the disk of DATA_DIR is full: new data only takes the place of what was deleted");
  }
  if (kept.bytes < kept.wantedBytes) {
    warnings.push(
      `of the ${mebibytes(kept.wantedBytes)} that are kept back in DATA_DIR for deletions on a full disk there are ` +
        `${mebibytes(kept.bytes)}: it has no room for the rest`,
    );
  }
  return warnings;
}

function mebibytes(bytes: number): string {
  return `${Math.floor(bytes / MIB)} MiB`;
}
