import { RecollectError } from "../../../domain/errors.ts";

// https://www.sqlite.org/rescode.html; node:sqlite gives the extended code, whose low byte is the primary one.
const SQLITE_BUSY = 5;
const SQLITE_LOCKED = 6;
const SQLITE_READONLY = 8;
const SQLITE_IOERR = 10;
const SQLITE_CORRUPT = 11;
const SQLITE_FULL = 13;
const SQLITE_CANTOPEN = 14;
const SQLITE_NOTADB = 26;

export function isBusy(error: unknown): boolean {
  return primaryCode(error) === SQLITE_BUSY;
}

export function isCorrupt(error: unknown): boolean {
  return primaryCode(error) === SQLITE_CORRUPT;
}

/** Whether the disk was full; also true for the error after `translate`. */
export function isFull(error: unknown): boolean {
  if (error instanceof RecollectError) return error.reason === "STORE_FULL";
  return primaryCode(error) === SQLITE_FULL;
}

function primaryCode(error: unknown): number | undefined {
  return error instanceof Error && "errcode" in error ? Number(error.errcode) & 0xff : undefined;
}

/** Translates SQLite's failures to errors of the port; other errors are bugs and are returned unchanged. */
export function translate(error: unknown): unknown {
  const metadata = { backend: "embedded" };
  switch (primaryCode(error)) {
    case SQLITE_FULL:
      return new RecollectError("STORE_FULL", "the disk is full", { metadata, cause: error });
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB:
      return new RecollectError("STORE_CORRUPT", "stored data is damaged", { metadata, cause: error });
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
    case SQLITE_READONLY:
    case SQLITE_IOERR:
    case SQLITE_CANTOPEN:
      return new RecollectError("STORE_UNAVAILABLE", "the store does not answer", {
        metadata,
        retryAfterMs: 1000,
        cause: error,
      });
    default:
      return error;
  }
}

/** Runs `work` and translates its errors. */
export function guarded<T>(work: () => T): T {
  try {
    return work();
  } catch (error) {
    throw translate(error);
  }
}
