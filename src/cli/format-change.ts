import { timestampDate } from "@bufbuild/protobuf/wkt";
import {
  WatchMemoriesResponse_Change as Change,
  type WatchMemoriesResponse,
} from "#gen/recollect/v1/memory_pb.js";
import { excerpt, toLine } from "./excerpt.ts";

const EXCERPT_LENGTH = 100;
const KIND_WIDTH = 10;

/** One line of a watch: when, what, which memory, and the beginning of its text, if it still exists. */
export function formatChange({ change, changeTime, memory }: WatchMemoriesResponse): string {
  const time = changeTime === undefined ? "" : timestampDate(changeTime).toISOString();
  const kind = (Change[change] ?? String(change)).toLowerCase().padEnd(KIND_WIDTH);
  const text = excerpt(memory?.text ?? "", EXCERPT_LENGTH);
  return [time, kind, toLine(memory?.id ?? ""), text].join("  ").trimEnd();
}
