import type { DescMessage } from "@bufbuild/protobuf";
import { nearest } from "../../config/spelling.ts";
import { invalidField, RecollectError } from "../../domain/errors.ts";
import { MAX_JSON_DEPTH } from "./limits.ts";
import type { FieldBounds, MessageBounds } from "./message-bounds.ts";

/** The path of a value in a request: names of fields and indexes of lists. */
export type Path = readonly (string | number)[];

/** As in violations: `memories[2].tags`. */
export function pathText(path: Path): string {
  return path.reduce<string>(
    (text, part) => (typeof part === "number" ? `${text}[${part}]` : text === "" ? part : `${text}.${part}`),
    "",
  );
}

export function tooManyItems(path: Path, { maxItems }: FieldBounds): RecollectError {
  return invalidField(pathText(path), `must contain no more than ${maxItems} item(s)`);
}

export function tooLong(path: Path, { kind, maxBytes }: FieldBounds): RecollectError {
  return kind === "json"
    ? invalidField(pathText(path), `takes more than the ${maxBytes} bytes of JSON that are allowed`)
    : invalidField(pathText(path), `must be at most ${maxBytes} bytes`);
}

export function tooDeep(path: Path): RecollectError {
  return invalidField(pathText(path), `is nested more than the ${MAX_JSON_DEPTH} levels that are allowed`);
}

/** A field that the message does not have; `name` is its name, or its number. */
export function unknownField(path: Path, name: string | number, { desc }: MessageBounds): RecollectError {
  const meant = typeof name === "number" ? undefined : closestField(name, desc);
  const field = pathText([...path, String(name)]);
  const description = `is no field of ${desc.typeName}${meant === undefined ? "" : `; the nearest one is ${meant}`}`;
  return new RecollectError("FIELD_UNKNOWN", `${field} ${description}`, {
    metadata: { field, ...(meant === undefined ? {} : { nearest: meant }) },
    violations: [{ field, description }],
  });
}

/** A name that is no value of the field's enum. */
export function unknownValue(path: Path, name: string, { enumeration }: FieldBounds): RecollectError {
  const names = enumeration?.values.map((value) => value.name) ?? [];
  const prefix = enumeration?.sharedPrefix?.toUpperCase() ?? "";
  const meant =
    names.find((candidate) => candidate === `${prefix}${name.toUpperCase()}`) ?? closest(name, names);
  return invalidField(
    pathText(path),
    `${JSON.stringify(name.slice(0, 64))} is no value of ${enumeration?.typeName}` +
      (meant === undefined ? "" : `; the nearest one is ${meant}`),
  );
}

export function emptyValue(path: Path): RecollectError {
  return invalidField(pathText(path), "is empty");
}

export function duplicateField(path: Path): RecollectError {
  const field = pathText(path);
  return new RecollectError("REQUEST_MALFORMED", `${field} is given more than once`, {
    metadata: { field },
    violations: [{ field, description: "is given more than once" }],
  });
}

/** A value of another type than in the schema: a list in place of a string, another wire type. */
export function wrongShape(path: Path, expected: string): RecollectError {
  const field = pathText(path);
  return new RecollectError("REQUEST_MALFORMED", `${field} must be ${expected}`, {
    metadata: { field },
    violations: [{ field, description: `must be ${expected}` }],
  });
}

export function malformed(what: string): RecollectError {
  return new RecollectError("REQUEST_MALFORMED", what);
}

/** The most similar field of a message or of a message in it: `filter.userId` for `user_id` beside the filter. */
function closestField(name: string, { fields }: DescMessage): string | undefined {
  const own = closest(
    name,
    fields.map(({ jsonName }) => jsonName),
  );
  if (own !== undefined) return own;
  for (const { jsonName, message } of fields) {
    const inside = message?.fields.find((field) => fold(field.jsonName) === fold(name));
    if (inside !== undefined) return `${jsonName}.${inside.jsonName}`;
  }
  return undefined;
}

/** Most similar by edit distance, or else by a common prefix: `sessionId` for `session`. */
function closest(name: string, names: readonly string[]): string | undefined {
  const folded = fold(name);
  const same = names.find((candidate) => fold(candidate) === folded) ?? nearest(name, names);
  if (same !== undefined) return same;
  const [best] = names
    .map((candidate) => ({ candidate, shared: sharedStart(folded, fold(candidate)) }))
    .filter(({ shared }) => shared >= MIN_SHARED)
    .sort((one, other) => other.shared - one.shared);
  return best?.candidate;
}

/** Length of the common prefix from which on two names are similar. */
const MIN_SHARED = 4;

function sharedStart(one: string, other: string): number {
  let length = 0;
  while (length < one.length && one[length] === other[length]) length += 1;
  return length;
}

function fold(name: string): string {
  return name.replaceAll("_", "").toLowerCase();
}
