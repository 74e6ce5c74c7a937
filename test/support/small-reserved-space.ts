import { RESERVED_SIZES, type ReservedSizes } from "../../src/domain/disk-space.ts";

/**
 * A smaller disk space reserve for tests about something else: 1 MiB, because writing 16 MiB would be most of the work of
 * a start.
 */
export const SMALL_RESERVED_SPACE: ReservedSizes = { ...RESERVED_SIZES, reservedBytes: 1024 * 1024 };
