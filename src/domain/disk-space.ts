/**
 * The disk space that an embedded store reserves, so that deletions work on a full disk. A deletion needs space before it
 * frees any: SQLite appends changed pages to its log, and moves them into the file later.
 */

const MIB = 1024 * 1024;

/**
 * Reserved for deletions, in bytes. Before a deletion runs, the log is moved into the file (checkpoint), which may grow by
 * its size: some 4 MiB (the 1,000 pages after which SQLite moves it), and 8 MiB at most with the write that filled the
 * disk. The other 8 MiB are for the deletion itself: one step of a purge changes 1 to 4 MiB of pages, the keyword index
 * included.
 */
export const RESERVED_BYTES = 16 * MIB;

/**
 * The size of the log while the disk is full, in bytes: twice its usual size. Left free for writes that reuse pages which
 * deletions have freed, because they go through the log too; a longer log is moved into the file at once.
 */
export const LOG_BYTES = 8 * MIB;

/** The warning bound on small disks, in free bytes: more than a hundred times what one large import request needs. */
const LOW_BYTES = 256 * MIB;
/** The warning bound on larger disks, as a share of the disk: a usual value of disk monitoring. */
const LOW_SHARE = 0.05;
/** The highest warning bound, in free bytes: a twentieth of a 10 TB disk would last for years. */
const LOW_AT_MOST = 16 * 1024 * MIB;

export interface ReservedSizes {
  readonly reservedBytes: number;
  readonly logBytes: number;
}

export const RESERVED_SIZES: ReservedSizes = { reservedBytes: RESERVED_BYTES, logBytes: LOG_BYTES };

/** The space of a disk, in bytes. */
export interface DiskSpace {
  /** Available to this user. */
  readonly freeBytes: number;
  readonly totalBytes: number;
}

/** How much to reserve now. */
export interface ReservationPlan {
  readonly bytes: number;
  /** Whether the store's file may grow; otherwise new data goes only into pages that deletions have freed. */
  readonly mayGrow: boolean;
}

/**
 * Plans the reservation. With room for all of it, all is reserved. With less room, an existing reservation becomes as
 * large as the room beside the log allows, and the file may not grow into that room, or each deletion would leave less for
 * the next. Without an existing reservation, as on a disk that is too small for one, nothing is reserved and writes go on.
 */
export function planReservation(
  now: { readonly freeBytes: number; readonly allocatedBytes: number; readonly logFileBytes: number },
  { reservedBytes, logBytes }: ReservedSizes,
): ReservationPlan {
  const room = now.freeBytes + now.allocatedBytes + now.logFileBytes;
  if (room >= reservedBytes + logBytes) return { bytes: reservedBytes, mayGrow: true };
  if (now.allocatedBytes === 0) return { bytes: 0, mayGrow: true };
  // The half that deletions need comes first: other processes may have used the space left free for the log.
  return { bytes: Math.max(Math.min(room, reservedBytes / 2), room - logBytes), mayGrow: false };
}

/** Free bytes below which an operator is warned. */
export function lowSpaceBound(totalBytes: number): number {
  return Math.min(LOW_AT_MOST, Math.max(LOW_BYTES, LOW_SHARE * totalBytes));
}

/** Warnings for operators, one line each. */
export function spaceWarnings(
  space: DiskSpace | undefined,
  reserve: { readonly bytes: number; readonly wantedBytes: number; readonly mayGrow: boolean },
): string[] {
  const warnings: string[] = [];
  if (space !== undefined && space.freeBytes < lowSpaceBound(space.totalBytes)) {
    warnings.push(
      `the disk of DATA_DIR has ${mebibytes(space.freeBytes)} free of ${mebibytes(space.totalBytes)}: ` +
        "when it is full, everything but reads and deletions is refused (STORE_FULL)",
    );
  }
  if (!reserve.mayGrow) {
    warnings.push("the disk of DATA_DIR is full: new data goes only into space that deletions have freed");
  }
  if (reserve.bytes < reserve.wantedBytes) {
    warnings.push(
      `DATA_DIR reserves ${mebibytes(reserve.bytes)} of the ${mebibytes(reserve.wantedBytes)} for deletions on a full ` +
        "disk: it has no room for the rest",
    );
  }
  return warnings;
}

function mebibytes(bytes: number): string {
  return `${Math.floor(bytes / MIB)} MiB`;
}
