import { timestampDate } from "@bufbuild/protobuf/wkt";
import { type Memory, Memory_Kind, Memory_State } from "#gen/recollect/v1/memory_pb.js";
import { excerpt, toLine, toSafeText } from "./excerpt.ts";

const EXCERPT_LENGTH = 120;

/** One line of a list: id, time and the beginning of the text. */
export function formatRow(memory: Memory): string {
  return [toLine(memory.id), timeOf(memory), excerpt(memory.text, EXCERPT_LENGTH)].join("  ");
}

/** A complete memory: its fields, then its text. */
export function formatMemory(memory: Memory): string[] {
  const fields: readonly (readonly [string, string])[] = [
    ["user", memory.userId],
    ["session", memory.sessionId === "" ? "" : `${memory.sessionId} (${memory.sessionPosition})`],
    ["author", memory.author],
    ["tags", memory.tags.join(", ")],
    ["flags", memory.flags.join(", ")],
    ["metadata", memory.metadata === undefined ? "" : JSON.stringify(memory.metadata)],
  ];
  return [
    [toLine(memory.id), timeOf(memory), Memory_Kind[memory.kind], Memory_State[memory.state]].join("  "),
    ...fields.flatMap(([name, value]) => (value === "" ? [] : [`${name}: ${toLine(value)}`])),
    ...toSafeText(memory.text).split("\n"),
  ];
}

function timeOf({ createTime }: Memory): string {
  return createTime === undefined ? "" : timestampDate(createTime).toISOString();
}
