import type { DescField, DescMessage, Message } from "@bufbuild/protobuf";
import { isFieldSet } from "@bufbuild/protobuf";
import { RecollectError } from "../domain/errors.ts";

/**
 * Fields of the API that this version does not serve, by message. A request that sets one is refused instead of silently
 * ignoring the field. Remove a field here when it is implemented.
 */
const UNSERVED: Readonly<Record<string, readonly string[]>> = {
  "recollect.v1.LookupCacheRequest.Options": ["lease", "wait"],
  "recollect.v1.StoreCacheEntryRequest": ["lease_token"],
};

/** Throws FIELD_NOT_SERVED when the message, or a message in it, sets such a field. */
export function refuseUnserved(desc: DescMessage, message: Message, path = ""): void {
  for (const name of UNSERVED[desc.typeName] ?? []) {
    const field = desc.fields.find((one) => one.name === name);
    if (field !== undefined && isFieldSet(message, field)) throw notServed(`${path}${name}`);
  }
  for (const field of reachable(desc)) {
    const value = (message as unknown as Record<string, unknown>)[field.localName];
    if (field.fieldKind === "message" && value !== undefined) {
      refuseUnserved(field.message, value as Message, `${path}${field.name}.`);
    }
  }
}

/** Singular message fields whose messages have unserved fields. Handlers check the items of a batch one by one. */
const reachableFields = new Map<DescMessage, readonly DescField[]>();
function reachable(desc: DescMessage): readonly DescField[] {
  let fields = reachableFields.get(desc);
  if (fields === undefined) {
    fields = desc.fields.filter(
      (field) =>
        field.fieldKind === "message" && field.oneof === undefined && UNSERVED[field.message.typeName],
    );
    reachableFields.set(desc, fields);
  }
  return fields;
}

function notServed(field: string): RecollectError {
  return new RecollectError("FIELD_NOT_SERVED", `${field} is not served by this version`, {
    metadata: { field },
    violations: [{ field, description: "is not served by this version" }],
  });
}
