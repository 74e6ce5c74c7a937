import { type JsonValue, toJson } from "@bufbuild/protobuf";
import { timestampDate } from "@bufbuild/protobuf/wkt";
import {
  type Memory,
  MemorySchema,
  type ListMemoryRevisionsResponse_Revision as Revision,
} from "#gen/recollect/v1/memory_pb.js";
import { excerpt } from "./excerpt.ts";

const VALUE_LENGTH = 80;
const NUMBER_WIDTH = 5;

/** Fields that are no content, or that every change changes. */
const NOT_SHOWN: ReadonlySet<string> = new Set([
  ...["etag", "updateTime", "createTime", "namespace", "embedding", "accessCount", "lastAccessTime"],
  "sessionPosition",
]);

interface Version {
  /** Such as `3`, or `now`. */
  readonly name: string;
  readonly memory: Memory;
}

/**
 * The versions of a memory, newest first: of each its number, when it was written, and below that what it changed, a field a
 * line. `revisions` are newest first; of the oldest the whole text is shown.
 */
export function formatHistory(memory: Memory | undefined, revisions: readonly Revision[]): string[] {
  const earlier = revisions.flatMap((revision): Version[] =>
    revision.memory === undefined ? [] : [{ name: String(revision.number), memory: revision.memory }],
  );
  const versions = memory === undefined ? earlier : [{ name: "now", memory }, ...earlier];
  return versions.flatMap((version, at) => {
    const time = version.memory.updateTime;
    const written = time === undefined ? "" : timestampDate(time).toISOString();
    const before = versions[at + 1]?.memory;
    const changes =
      before === undefined ? [`text: ${shown(version.memory.text)}`] : changesOf(before, version.memory);
    return [
      `${version.name.padEnd(NUMBER_WIDTH)}${written}`,
      ...changes.map((line) => `${" ".repeat(NUMBER_WIDTH)}${line}`),
    ];
  });
}

/** A line for each field that differs. */
function changesOf(before: Memory, after: Memory): string[] {
  const [old, current] = [fieldsOf(before), fieldsOf(after)];
  return MemorySchema.fields
    .filter(({ jsonName: name }) => !NOT_SHOWN.has(name))
    .filter(({ jsonName: name }) => JSON.stringify(old[name]) !== JSON.stringify(current[name]))
    .map(({ jsonName: name, enum: names }) => {
      // Such as STATE_ACTIVE, which other commands print as ACTIVE.
      const short = (value: string): string => value.slice(names?.sharedPrefix?.length ?? 0);
      return `${name}: ${short(shown(old[name]))} -> ${short(shown(current[name]))}`;
    });
}

function fieldsOf(memory: Memory): Readonly<Record<string, JsonValue | undefined>> {
  return toJson(MemorySchema, memory) as Readonly<Record<string, JsonValue | undefined>>;
}

function shown(value: JsonValue | undefined): string {
  if (value === undefined) return "none";
  return excerpt(typeof value === "string" ? value : JSON.stringify(value), VALUE_LENGTH);
}
