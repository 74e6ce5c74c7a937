import { type DescMethod, fromBinary, type MessageShape } from "@bufbuild/protobuf";
import { RecollectError } from "../../domain/errors.ts";
import { methodPath } from "../handler.ts";
import { checkJson } from "./json-check.ts";
import { createBoundsReader } from "./message-bounds.ts";
import { markRefused } from "./refused-item.ts";
import { type CheckedBytes, checkWire } from "./wire-check.ts";

/** Decodes the requests of one method, after checking them against the limits of the schema. */
export interface RequestReader {
  /** Decodes an encoded message. Throws REQUEST_INVALID, FIELD_UNKNOWN or REQUEST_MALFORMED. */
  decode(bytes: Uint8Array): MessageShape<DescMethod["input"]>;
  /** Checks a message in either form, for a library that decodes it. Throws the same errors. */
  check(bytes: Uint8Array, form: "json" | "binary"): CheckedBytes;
}

/** Makes the readers of methods, which share the limits of messages. */
export function createRequestReaders(): (method: DescMethod) => RequestReader {
  const boundsOf = createBoundsReader();
  return (method) => {
    const bounds = boundsOf(method.input);
    const path = methodPath(method);
    const check: RequestReader["check"] = (bytes, form) =>
      namingMethod(path, () => (form === "json" ? checkJson : checkWire)(bytes, bounds));
    return {
      check,
      decode: (bytes) => {
        const checked = check(bytes, "binary");
        let message: MessageShape<DescMethod["input"]>;
        try {
          message = fromBinary(method.input, checked.bytes, { readUnknownFields: false });
        } catch (cause) {
          // The message of the parser may quote the request, so it is for the log alone.
          throw new RecollectError(
            "REQUEST_MALFORMED",
            `the request is not a valid ${method.input.typeName}`,
            { metadata: { method: path }, cause },
          );
        }
        markRefused(message, checked.refused);
        return message;
      },
    };
  };
}

/** Adds the method to REQUEST_MALFORMED errors. */
function namingMethod<T>(method: string, check: () => T): T {
  try {
    return check();
  } catch (error) {
    if (!(error instanceof RecollectError) || error.reason !== "REQUEST_MALFORMED") throw error;
    const { detail, message } = error;
    throw new RecollectError("REQUEST_MALFORMED", message, {
      ...detail,
      metadata: { ...detail.metadata, method },
      cause: error,
    });
  }
}
