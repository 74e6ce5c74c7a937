import { type DescField, type DescMessage, ScalarType } from "@bufbuild/protobuf";
import { BinaryWriter, WireType } from "@bufbuild/protobuf/wire";

/** The most expensive request to decode for its size, made of one field. */
export interface WorstMessage {
  /** The path of the field, and its content. */
  readonly name: string;
  readonly wire: Uint8Array;
  readonly json: Uint8Array;
}

/** A message of one field with an encoded value. */
type Around = (wire: Uint8Array, json: string) => { readonly wire: Uint8Array; readonly json: string };

/**
 * The most expensive messages for every field below a message, each of about this size: as many minimal elements as fit;
 * one long text; JSON of many values, of many levels, of one long text.
 */
export function worstMessages(desc: DescMessage, bytes: number): WorstMessage[] {
  return worstOf(desc, bytes, "", (wire, json) => ({ wire, json }), new Set());
}

function worstOf(
  desc: DescMessage,
  bytes: number,
  path: string,
  around: Around,
  within: ReadonlySet<DescMessage>,
): WorstMessage[] {
  if (within.has(desc)) return [];
  const made = (name: string, wire: Uint8Array, json: string): WorstMessage => {
    const whole = around(wire, json);
    return { name: `${path || "(request)"} ${name}`, wire: whole.wire, json: Buffer.from(whole.json) };
  };
  const worst: WorstMessage[] = [
    made(
      "unknown fields",
      repeat(
        tagged(1000, WireType.Varint, (writer) => writer.uint32(0)),
        bytes,
      ),
      members(bytes, (index) => `"x${index}":0`),
    ),
  ];
  for (const field of desc.fields) {
    const below = path === "" ? field.name : `${path}.${field.name}`;
    const nested: Around = (wire, json) => {
      const list = field.fieldKind === "list";
      return around(delimited(field.number, wire), `{"${field.jsonName}":${list ? `[${json}]` : json}}`);
    };
    for (const one of worstValues(field, bytes)) {
      const whole = around(one.wire, one.json);
      worst.push({ name: `${below} ${one.name}`, wire: whole.wire, json: Buffer.from(whole.json) });
    }
    if (field.message !== undefined && !field.message.typeName.startsWith("google."))
      worst.push(...worstOf(field.message, bytes, below, nested, new Set([...within, desc])));
  }
  return worst;
}

interface Worst {
  readonly name: string;
  readonly wire: Uint8Array;
  readonly json: string;
}

function worstValues(field: DescField, bytes: number): Worst[] {
  const json = (value: string): string => `{"${field.jsonName}":${value}}`;
  const smallest = smallestOf(field);
  const values: Worst[] = [
    {
      name: field.fieldKind === "list" ? "the smallest items" : "given again and again",
      wire: repeat(smallest.wire, bytes),
      json:
        field.fieldKind === "list"
          ? json(`[${list(bytes, smallest.json)}]`)
          : `{${list(bytes, `"${field.jsonName}":${smallest.json}`)}}`,
    },
  ];
  if (field.scalar === ScalarType.STRING || field.scalar === ScalarType.BYTES) {
    const text = "A".repeat(bytes);
    const value = field.fieldKind === "list" ? `["${text}"]` : `"${text}"`;
    values.push({
      name: "one without end",
      wire: delimited(field.number, Buffer.alloc(bytes, "A")),
      json: json(value),
    });
    const escaped = "\\u0041".repeat(Math.floor(bytes / 6));
    values.push({
      name: "one of escapes",
      wire: delimited(field.number, Buffer.alloc(bytes, "é")),
      json: json(field.fieldKind === "list" ? `["${escaped}"]` : `"${escaped}"`),
    });
  }
  if (field.message?.typeName === "google.protobuf.Struct") values.push(...worstStructs(field, bytes));
  if (field.message?.typeName === "google.protobuf.FieldMask") {
    values.push({
      name: "the smallest paths",
      wire: delimited(field.number, repeat(delimited(1, Buffer.alloc(0)), bytes)),
      json: json(`"${"a,".repeat(bytes / 2)}a"`),
    });
  }
  if (field.fieldKind === "list" && field.listKind === "enum") {
    values.push({
      name: "packed",
      wire: delimited(field.number, Buffer.alloc(bytes, 1)),
      json: json(`[${list(bytes, "1")}]`),
    });
  }
  return values;
}

/** A member `k` of a Struct with this google.protobuf.Value. */
function member(value: Uint8Array): Uint8Array {
  return delimited(1, Buffer.concat([delimited(1, Buffer.from("k")), delimited(2, value)]));
}

function worstStructs(field: DescField, bytes: number): Worst[] {
  const inList = (json: string): string =>
    `{"${field.jsonName}":${field.fieldKind === "list" ? `[${json}]` : json}}`;
  const struct = (name: string, wire: Uint8Array, json: string): Worst => ({
    name,
    wire: delimited(field.number, wire),
    json: inList(json),
  });
  const nullValue = Buffer.from([0x08, 0]);
  const listOf = (value: Uint8Array): Uint8Array => delimited(6, repeat(delimited(1, value), bytes));
  let deep: Uint8Array = nullValue;
  // Lengths grow with the depth; a few thousand levels overflow a recursion.
  const levels = Math.min(bytes / 8, 3000);
  for (let level = 0; level < levels; level += 1) deep = delimited(6, delimited(1, deep));
  return [
    struct("of nulls", member(listOf(nullValue)), `{"k":[${list(bytes, "0")}]}`),
    struct("of empty objects", member(listOf(delimited(5, Buffer.alloc(0)))), `{"k":[${list(bytes, "{}")}]}`),
    struct(
      "of members",
      repeat(member(nullValue), bytes),
      members(bytes, (index) => `"k${index}":0`),
    ),
    struct("of levels", member(deep), `{"k":${"[".repeat(bytes / 2)}${"]".repeat(bytes / 2)}}`),
    struct("of one text", member(delimited(3, Buffer.alloc(bytes, "A"))), `{"k":"${"A".repeat(bytes)}"}`),
  ];
}

/** The encoding of a field with its smallest value, and that value in JSON. */
function smallestOf(field: DescField): { readonly wire: Uint8Array; readonly json: string } {
  if (field.message !== undefined) {
    const { typeName } = field.message;
    const texts: Readonly<Record<string, string>> = {
      "google.protobuf.Timestamp": '"2025-01-01T00:00:00Z"',
      "google.protobuf.Duration": '"1s"',
      "google.protobuf.FieldMask": '""',
    };
    return { wire: delimited(field.number, Buffer.alloc(0)), json: texts[typeName] ?? "{}" };
  }
  if (field.enum !== undefined)
    return { wire: tagged(field.number, WireType.Varint, (writer) => writer.uint32(1)), json: "1" };
  switch (field.scalar) {
    case ScalarType.STRING:
    case ScalarType.BYTES:
      return { wire: delimited(field.number, Buffer.alloc(0)), json: '""' };
    case ScalarType.FLOAT:
      return { wire: tagged(field.number, WireType.Bit32, (writer) => writer.float(0)), json: "0" };
    case ScalarType.DOUBLE:
      return { wire: tagged(field.number, WireType.Bit64, (writer) => writer.double(0)), json: "0" };
    case ScalarType.BOOL:
      return { wire: tagged(field.number, WireType.Varint, (writer) => writer.bool(true)), json: "true" };
    default:
      return { wire: tagged(field.number, WireType.Varint, (writer) => writer.uint32(1)), json: "1" };
  }
}

function tagged(number: number, type: WireType, write: (writer: BinaryWriter) => void): Uint8Array {
  const writer = new BinaryWriter().tag(number, type);
  write(writer);
  return writer.finish();
}

function delimited(number: number, content: Uint8Array): Uint8Array {
  return tagged(number, WireType.LengthDelimited, (writer) => writer.bytes(content));
}

function repeat(piece: Uint8Array, bytes: number): Uint8Array {
  return Buffer.alloc(Math.floor(bytes / piece.length) * piece.length, piece);
}

function list(bytes: number, item: string): string {
  return `${`${item},`.repeat(Math.floor(bytes / (item.length + 1)))}${item}`;
}

function members(bytes: number, member: (index: number) => string): string {
  const parts: string[] = [];
  let length = 0;
  for (let index = 0; length < bytes; index += 1) {
    parts.push(member(index));
    length += (parts.at(-1)?.length ?? 0) + 1;
  }
  return `{${parts.join(",")}}`;
}
