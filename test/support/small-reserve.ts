import { RESERVED_SIZES, type ReservedSizes } from "../../src/domain/disk-space.ts";

/**
 * The disk space that an embedded store reserves for deletions in tests of other things: 1 MiB, because writing 16 MiB
 * would take most of a start.
 */
export const SMALL_RESERVE: ReservedSizes = { ...RESERVED_SIZES, reservedBytes: 1024 * 1024 };
