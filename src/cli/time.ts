import type { Timestamp } from "@bufbuild/protobuf/wkt";
import { timestampFromMs } from "@bufbuild/protobuf/wkt";

const DATE_LENGTH = "2026-01-31".length;

/** RFC 3339, in which the seconds may be left out. */
const TIME = /^\d{4}-\d{2}-\d{2}(?:T\d{2}:\d{2}(?::\d{2}(?:\.\d{1,9})?)?(?:Z|[+-]\d{2}:\d{2}))?$/;

/** A time such as `2026-01-31T08:30:00Z`, or a date, which is its beginning in UTC. Undefined: it is neither. */
export function parseTime(text: string): Timestamp | undefined {
  const date = text.slice(0, DATE_LENGTH);
  const day = new Date(date);
  const time = Date.parse(text);
  if (!TIME.test(text) || Number.isNaN(time) || Number.isNaN(day.getTime())) return undefined;
  // The parser reads the 30th of February as the 2nd of March.
  return day.toISOString().startsWith(date) ? timestampFromMs(time) : undefined;
}
