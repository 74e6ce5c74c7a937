import { digest } from "../lib/digest.ts";
import { RecollectError } from "./errors.ts";

/** The key of the last row of a page. */
export interface PagePosition {
  readonly createTime: number;
  readonly id: string;
}

/**
 * A page token: the last key and a hash of the request it belongs to, as base64url of JSON. It is opaque to callers and
 * contains only data of the page. It needs no signature: a forged token reads the caller's own rows.
 */
export function sealPageToken(position: PagePosition, request: string): string {
  return Buffer.from(JSON.stringify([1, position.createTime, position.id, requestHash(request)])).toString(
    "base64url",
  );
}

/**
 * Throws PAGE_TOKEN_INVALID, naming `field`, when sealPageToken did not make the token for this request.
 */
export function openPageToken(token: string, request: string, field = "page_token"): PagePosition {
  const parts = parse(token);
  if (!Array.isArray(parts)) throw invalid(field, "not a page token");
  const [version, createTime, id, hash] = parts as unknown[];
  if (version !== 1 || typeof createTime !== "number" || typeof id !== "string")
    throw invalid(field, "not a page token");
  if (hash !== requestHash(request)) throw invalid(field, "made for another request");
  return { createTime, id };
}

function parse(token: string): unknown {
  try {
    return JSON.parse(Buffer.from(token, "base64url").toString("utf8"));
  } catch {
    return undefined;
  }
}

function requestHash(request: string): string {
  return digest(request).slice(0, 16);
}

function invalid(field: string, description: string): RecollectError {
  return new RecollectError("PAGE_TOKEN_INVALID", `${field}: ${description}`, {
    metadata: { field },
    violations: [{ field, description }],
  });
}

const DEFAULT_PAGE_SIZE = 50;
const MAX_PAGE_SIZE = 1000;

/** How many rows a page has: 0 means 50; more than 1,000 is taken as 1,000. */
export function pageSizeOf(requested: number): number {
  return requested === 0 ? DEFAULT_PAGE_SIZE : Math.min(requested, MAX_PAGE_SIZE);
}

/** A page of large rows ends earlier than its size, at 2 MiB unless the request says more. */
export const MAX_PAGE_BYTES = 2 * 1024 * 1024;

/** The first rows that together take at most `maxBytes`; at least one, so that every page makes progress. */
export function withinBytes<Row>(
  rows: readonly Row[],
  bytesOf: (row: Row) => number,
  maxBytes: number,
): Row[] {
  let bytes = 0;
  return rows.filter((row, index) => {
    bytes += bytesOf(row);
    return index === 0 || bytes <= maxBytes;
  });
}
