import { timestampDate } from "@bufbuild/protobuf/wkt";
import { describe, expect, it } from "vitest";
import { parseTime } from "./time.ts";

const read = (text: string): string | undefined => {
  const time = parseTime(text);
  return time && timestampDate(time).toISOString();
};

describe("a time on the command line", () => {
  it.each([
    ["2026-01-31", "2026-01-31T00:00:00.000Z"],
    ["2026-01-31T08:30Z", "2026-01-31T08:30:00.000Z"],
    ["2026-01-31T08:30:05.25+02:00", "2026-01-31T06:30:05.250Z"],
    ["2024-02-29T23:59:59Z", "2024-02-29T23:59:59.000Z"],
  ])("%s is read", (text, time) => expect(read(text)).toBe(time));

  it.each([
    "",
    "now",
    "2026",
    "2026-01",
    "2026-02-30",
    "2026-13-01",
    "2026-01-31T25:00Z",
    "2026-01-31T08:30",
    "31.01.2026",
  ])("%s is refused", (text) => expect(read(text)).toBeUndefined());
});
