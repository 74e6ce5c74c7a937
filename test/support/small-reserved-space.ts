import { RESERVED_SIZES, type ReservedSizes } from "../../src/domain/disk-space.ts";

/**
 * What an embedded store keeps back for deletions where a test is about something else: as everywhere, but 1 MiB, for to
 * write 16 MiB would be most of the work of a start.
 */
export const SMALL_RESERVED_SPACE: ReservedSizes = { ...RESERVED_SIZES, reservedBytes: 1024 * 1024 };
