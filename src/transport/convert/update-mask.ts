import type { FieldMask } from "@bufbuild/protobuf/wkt";
import type { Memory } from "#gen/recollect/v1/memory_pb.js";
import { RecollectError } from "../../domain/errors.ts";
import type { MutableField } from "../../domain/memory/update.ts";

/** Fields of the API that an update mask may name, with their names in the domain. */
const FIELDS: Readonly<Record<string, MutableField>> = {
  text: "text",
  kind: "kind",
  user_id: "userId",
  agent_id: "agentId",
  role: "role",
  author: "author",
  tags: "tags",
  metadata: "metadata",
  importance: "importance",
  pinned: "pinned",
  event_time: "eventTime",
  valid_from: "validFrom",
  valid_until: "validUntil",
  expire_time: "expireTime",
  ttl: "expireTime",
  source_ids: "sourceIds",
};

/**
 * The fields to update: those of the mask, all for `*`, or without a mask those that are set. Throws REQUEST_INVALID for a
 * path that is no field or that cannot be changed.
 */
export function toUpdatePaths(mask: FieldMask | undefined, memory: Memory): string[] {
  if (mask === undefined) return Object.keys(FIELDS).filter((path) => isSet(memory, path));
  if (mask.paths.includes("*")) return Object.keys(FIELDS);
  const unknown = mask.paths.filter((path) => FIELDS[path] === undefined);
  if (unknown.length > 0) throw unchangeablePaths(unknown);
  return mask.paths;
}

/** The error of an update mask with paths that are no fields, or that cannot be changed. */
export function unchangeablePaths(paths: readonly string[]): RecollectError {
  return new RecollectError("REQUEST_INVALID", `update_mask: cannot be changed: ${paths.join(", ")}`, {
    metadata: { fields: "update_mask" },
    violations: paths.map((path) => ({ field: "update_mask", description: `${path} cannot be changed` })),
  });
}

export function toMutableFields(paths: readonly string[]): MutableField[] {
  return [...new Set(paths.flatMap((path) => FIELDS[path] ?? []))];
}

function isSet(memory: Memory, path: string): boolean {
  switch (path) {
    case "expire_time":
      return memory.expiration.case === "expireTime";
    case "ttl":
      return memory.expiration.case === "ttl";
    default: {
      const field = FIELDS[path];
      const value = field === undefined ? undefined : memory[field as keyof Memory];
      return Array.isArray(value)
        ? value.length > 0
        : value !== undefined && value !== "" && value !== 0 && value !== false;
    }
  }
}
