import {
  type DescEnum,
  type DescField,
  type DescMessage,
  getOption,
  hasOption,
  ScalarType,
} from "@bufbuild/protobuf";
import { type FieldRules, field as fieldOption, Ignore } from "#gen/buf/validate/validate_pb.js";
import { MAX_BYTES_WITHOUT_RULE, MAX_ITEMS, MAX_JSON_BYTES } from "./limits.ts";

/** The kind of a value; `text` is a well-cache message that JSON writes as a string. */
export type ValueKind = "scalar" | "string" | "bytes" | "enum" | "json" | "text" | "message";

/** The limits of a field of a request, from the schema and limits.ts. */
export interface FieldBounds {
  /** Its index in the message, from 0. */
  readonly index: number;
  /** The name in the schema and in violations. */
  readonly name: string;
  readonly localName: string;
  readonly kind: ValueKind;
  /** Wire type of one value. https://protobuf.dev/programming-guides/encoding/#structure */
  readonly wireType: 0 | 1 | 2 | 5;
  readonly repeated: boolean;
  /** Maximum number of values of a repeated field. */
  readonly maxItems: number;
  /** Maximum size of one value: UTF-8, bytes, or JSON text. */
  readonly maxBytes: number;
  /** Each item of a repeated field is checked on its own: an invalid one does not refuse the others. */
  readonly judgedAlone: boolean;
  /** An empty value is refused, because it would silently be no condition. */
  readonly refusesEmpty: boolean;
  /** Index of the oneof of the field; -1 outside of oneofs. */
  readonly oneof: number;
  /** The message of kinds `message` and `text`. */
  readonly message: MessageBounds | undefined;
  /** The names of an enum's values. */
  readonly enumeration: DescEnum | undefined;
}

/** The limits of a message of a request. */
export interface MessageBounds {
  readonly desc: DescMessage;
  readonly fields: readonly FieldBounds[];
  readonly byNumber: ReadonlyMap<number, FieldBounds>;
  /** By both names that JSON knows: `userId` and `user_id`. */
  readonly byName: ReadonlyMap<string, FieldBounds>;
}

/**
 * Reads bounds from descriptors, each message once. Throws TypeError for a repeated field without a limit: a request
 * could not be bounded by it, and for a message of more than 31 fields.
 */
export function createBoundsReader(): (desc: DescMessage) => MessageBounds {
  const cache = new Map<DescMessage, MessageBounds>();
  const boundsOf = (desc: DescMessage): MessageBounds => {
    const made = cache.get(desc);
    if (made !== undefined) return made;
    // The checks store one bit for each field of a message.
    if (desc.fields.length > 31) throw new TypeError(`${desc.typeName} has more than 31 fields`);
    const fields: FieldBounds[] = [];
    const byNumber = new Map<number, FieldBounds>();
    const byName = new Map<string, FieldBounds>();
    const bounds = { desc, fields, byNumber, byName };
    // Registered before its fields are read: a message may be recursive.
    cache.set(desc, bounds);
    for (const [index, field] of desc.fields.entries()) {
      const one = fieldBounds(field, index, boundsOf);
      fields.push(one);
      byNumber.set(field.number, one);
      byName.set(field.name, one);
      byName.set(field.jsonName, one);
    }
    return bounds;
  };
  return boundsOf;
}

function fieldBounds(
  field: DescField,
  index: number,
  boundsOf: (desc: DescMessage) => MessageBounds,
): FieldBounds {
  const path = `${field.parent.typeName}.${field.name}`;
  const rules = hasOption(field, fieldOption) ? getOption(field, fieldOption) : undefined;
  const repeated = field.fieldKind === "list";
  const list = rules?.type.case === "repeated" ? rules.type.value : undefined;
  const kind = kindOf(field, path);
  return {
    index,
    name: field.name,
    localName: field.localName,
    kind,
    wireType: wireTypeOf(field),
    repeated,
    maxItems: repeated ? maxItemsOf(path, Number(list?.maxItems ?? 0n)) : 1,
    maxBytes: kind === "json" ? maxJsonBytesOf(path) : maxBytesOf(repeated ? list?.items : rules),
    judgedAlone: list?.items?.ignore === Ignore.ALWAYS,
    refusesEmpty: field.parent.typeName === "recollect.v1.MemoryFilter",
    oneof: field.oneof === undefined ? -1 : field.parent.oneofs.indexOf(field.oneof),
    message:
      field.message !== undefined && (kind === "message" || kind === "text")
        ? boundsOf(field.message)
        : undefined,
    enumeration: field.enum,
  };
}

/** Well-known messages that JSON writes as a string. */
const TEXTS: ReadonlySet<string> = new Set([
  "google.protobuf.Timestamp",
  "google.protobuf.Duration",
  "google.protobuf.FieldMask",
]);

function kindOf(field: DescField, path: string): ValueKind {
  if (field.message !== undefined) {
    const { typeName } = field.message;
    if (field.fieldKind === "map") throw new TypeError(`no limit for the map ${path}`);
    if (typeName === "google.protobuf.Struct") return "json";
    if (TEXTS.has(typeName)) return "text";
    if (typeName.startsWith("google.protobuf.")) throw new TypeError(`no limit for ${path}, a ${typeName}`);
    return "message";
  }
  if (field.enum !== undefined) return "enum";
  if (field.scalar === ScalarType.STRING) return "string";
  return field.scalar === ScalarType.BYTES ? "bytes" : "scalar";
}

function wireTypeOf(field: DescField): 0 | 1 | 2 | 5 {
  if (field.message !== undefined) return 2;
  switch (field.scalar) {
    case ScalarType.STRING:
    case ScalarType.BYTES:
      return 2;
    case ScalarType.DOUBLE:
    case ScalarType.FIXED64:
    case ScalarType.SFIXED64:
      return 1;
    case ScalarType.FLOAT:
    case ScalarType.FIXED32:
    case ScalarType.SFIXED32:
      return 5;
    default:
      return 0;
  }
}

function maxItemsOf(path: string, ruled: number): number {
  const max = ruled > 0 ? ruled : MAX_ITEMS[path];
  if (max === undefined) throw new TypeError(`no limit for the number of ${path}`);
  return max;
}

function maxJsonBytesOf(path: string): number {
  const max = (MAX_JSON_BYTES as Readonly<Record<string, number>>)[path];
  if (max === undefined) throw new TypeError(`no limit for the JSON of ${path}`);
  return max;
}

/** A character takes at most four bytes of UTF-8. */
function maxBytesOf(rules: FieldRules | undefined): number {
  if (rules?.type.case === "bytes") return Number(rules.type.value.maxLen) || MAX_BYTES_WITHOUT_RULE;
  if (rules?.type.case !== "string") return MAX_BYTES_WITHOUT_RULE;
  const { maxBytes, maxLen } = rules.type.value;
  return Number(maxBytes) || 4 * Number(maxLen) || MAX_BYTES_WITHOUT_RULE;
}
