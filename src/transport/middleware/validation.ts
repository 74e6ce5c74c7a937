import { isMessage, type Message } from "@bufbuild/protobuf";
import { pathToString } from "@bufbuild/protobuf/reflect";
import { createValidator, type ValidationError } from "@bufbuild/protovalidate";
import { RecollectError } from "../../domain/errors.ts";
import type { Middleware } from "../pipeline.ts";
import { refuseUnserved } from "../unserved.ts";

/** Patterns are constants of the schema; each is compiled once. */
const patterns = new Map<string, RegExp>();
function matches(pattern: string, against: string): boolean {
  let compiled = patterns.get(pattern);
  if (compiled === undefined) {
    compiled = new RegExp(pattern, "u");
    patterns.set(pattern, compiled);
  }
  return compiled.test(against);
}

export const validator = createValidator({ regexMatch: matches });

/** Validates every request against the rules in the proto, before its handler. */
export const validation: Middleware = {
  name: "validation",
  receive: (call, message) => {
    if (!isMessage(message, call.method.input)) throw new TypeError(`not a ${call.method.input.typeName}`);
    const result = validator.validate(call.method.input, message);
    if (result.kind === "invalid") throw invalidRequest(result.error);
    if (result.kind === "error") throw result.error;
    refuseUnserved(call.method.input, message as Message);
  },
};

/** All violations, each with its field. */
export function invalidRequest(error: Pick<ValidationError, "violations">, prefix = ""): RecollectError {
  const violations = error.violations.map((violation) => ({
    field: join(prefix, pathToString(violation.field)),
    description: violation.message,
  }));
  const summary = violations.map(({ field, description }) => `${field}: ${description}`).join("; ");
  return new RecollectError("REQUEST_INVALID", summary, {
    metadata: { fields: violations.map(({ field }) => field).join(",") },
    violations,
  });
}

function join(prefix: string, field: string): string {
  if (prefix === "" || field === "") return `${prefix}${field}`;
  return field.startsWith("[") ? `${prefix}${field}` : `${prefix}.${field}`;
}
