import { type Timestamp, timestampDate } from "@bufbuild/protobuf/wkt";
import { type Memory, Memory_Kind, Memory_State } from "#gen/recollect/v1/memory_pb.js";
import { excerpt, toLine, toSafeText } from "./excerpt.ts";

const EXCERPT_LENGTH = 120;

/** One line of a list: id, time, the state of one that is not ACTIVE, and the beginning of the text. */
export function formatRow(memory: Memory): string {
  const parts = [toLine(memory.id), timeOf(memory.createTime), historyOf(memory)];
  return [...parts.filter((part) => part !== ""), excerpt(memory.text, EXCERPT_LENGTH)].join("  ");
}

/** The state of a memory that is not ACTIVE, with what replaced it; else empty. */
export function historyOf({ state, supersededBy }: Memory): string {
  if (state === Memory_State.ACTIVE) return "";
  const by = supersededBy === "" ? "" : ` by ${toLine(supersededBy)}`;
  return `${Memory_State[state]}${by}`;
}

/** A complete memory: its fields, then its text. */
export function formatMemory(memory: Memory): string[] {
  const fields: readonly (readonly [string, string])[] = [
    ["user", memory.userId],
    ["session", memory.sessionId === "" ? "" : `${memory.sessionId} (${memory.sessionPosition})`],
    ["author", memory.author],
    ["tags", memory.tags.join(", ")],
    ["flags", memory.flags.join(", ")],
    ["event time", timeOf(memory.eventTime)],
    ["valid from", timeOf(memory.validFrom)],
    ["valid until", timeOf(memory.validUntil)],
    ["supersedes", memory.supersedes.join(", ")],
    ["superseded by", memory.supersededBy],
    ["metadata", memory.metadata === undefined ? "" : JSON.stringify(memory.metadata)],
  ];
  return [
    [toLine(memory.id), timeOf(memory.createTime), Memory_Kind[memory.kind], Memory_State[memory.state]].join(
      "  ",
    ),
    ...fields.flatMap(([name, value]) => (value === "" ? [] : [`${name}: ${toLine(value)}`])),
    ...toSafeText(memory.text).split("\n"),
  ];
}

function timeOf(time: Timestamp | undefined): string {
  return time === undefined ? "" : timestampDate(time).toISOString();
}
