/**
 * The disk space that an embedded store reserves, so that deletions succeed on a full disk. A deletion needs space before
 * it frees any: SQLite appends changed pages to its WAL, and moves them into the file only later.
 */

const MIB = 1024 * 1024;

/**
 * Reserved for deletions, in bytes. Before a deletion, a checkpoint moves the WAL into the file, which may grow by all of
 * it: some 4 MiB (the 1,000 pages after which SQLite runs a checkpoint), and 8 MiB at most with the write that filled the
 * disk. The other 8 MiB are for the deletion itself: one step of a purge changes 1 to 4 MiB of pages, the keyword index
 * included.
 */
export const RESERVED_BYTES = 16 * MIB;

/**
 * Maximum size of the WAL while the disk is full, in bytes: twice its usual size. Left free for writes that reuse pages
 * freed by deletions, which go through the WAL too; a longer WAL is checkpointed at once.
 */
export const LOG_BYTES = 8 * MIB;

/** Free bytes below which a warning is shown: more than a hundred times what one large import request needs. */
const LOW_BYTES = 256 * MIB;
/** On a larger disk, the share below which a warning is shown; usual for disk monitoring. */
const LOW_SHARE = 0.05;
/** Upper bound on the warning level: a twentieth of a disk of 10 TB would last for years. */
const LOW_AT_MOST = 16 * 1024 * MIB;

export interface ReservedSizes {
  readonly reservedBytes: number;
  readonly logBytes: number;
}

export const RESERVED_SIZES: ReservedSizes = { reservedBytes: RESERVED_BYTES, logBytes: LOG_BYTES };

/** Free and total space of a disk, in bytes. */
export interface DiskSpace {
  /** Bytes that this user may still write. */
  readonly freeBytes: number;
  readonly totalBytes: number;
}

/** How much to reserve now. */
export interface ReservedSpacePlan {
  readonly bytes: number;
  /** Whether the store's file may grow; otherwise new data only goes into pages that deletions have freed. */
  readonly mayGrow: boolean;
}

/**
 * Plans the reserved space. With enough free space, all of it is reserved. With less, an existing reserve is as large as
 * the space beside the WAL allows, and the file may not grow into it, or each deletion would leave less for the next. A
 * reserve that never existed, as on a too small disk, is not created and blocks no writes.
 */
export function planReservedSpace(
  now: { readonly freeBytes: number; readonly presentBytes: number; readonly logFileBytes: number },
  { reservedBytes, logBytes }: ReservedSizes,
): ReservedSpacePlan {
  const room = now.freeBytes + now.presentBytes + now.logFileBytes;
  if (room >= reservedBytes + logBytes) return { bytes: reservedBytes, mayGrow: true };
  if (now.presentBytes === 0) return { bytes: 0, mayGrow: true };
  // The half that deletions need comes first: others may have used the space left free for the WAL.
  return { bytes: Math.max(Math.min(room, reservedBytes / 2), room - logBytes), mayGrow: false };
}

/** Free bytes below which an operator is warned. */
export function lowSpaceBound(totalBytes: number): number {
  return Math.min(LOW_AT_MOST, Math.max(LOW_BYTES, LOW_SHARE * totalBytes));
}

/** Warnings about disk space for operators; one line each. */
export function spaceWarnings(
  space: DiskSpace | undefined,
  reserved: { readonly bytes: number; readonly wantedBytes: number; readonly mayGrow: boolean },
): string[] {
  const warnings: string[] = [];
  if (space !== undefined && space.freeBytes < lowSpaceBound(space.totalBytes)) {
    warnings.push(
      `the disk of DATA_DIR has ${mebibytes(space.freeBytes)} free of ${mebibytes(space.totalBytes)}: ` +
        "when it is full, everything but reads and deletions is refused (STORE_FULL)",
    );
  }
  if (!reserved.mayGrow) {
    warnings.push("the disk of DATA_DIR is full: new data goes only into space that deletions have freed");
  }
  if (reserved.bytes < reserved.wantedBytes) {
    warnings.push(
      `DATA_DIR reserves ${mebibytes(reserved.bytes)} of the ${mebibytes(reserved.wantedBytes)} for deletions on a full ` +
        "disk: it has no room for the rest",
    );
  }
  return warnings;
}

function mebibytes(bytes: number): string {
  return `${Math.floor(bytes / MIB)} MiB`;
}
