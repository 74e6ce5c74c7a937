import { isUtf8 } from "node:buffer";
import { RecollectError } from "../../domain/errors.ts";
import { JsonBudget, RequestBudgetExceeded } from "./budget.ts";
import { JsonCursor } from "./json-cursor.ts";
import { MAX_JSON_DEPTH } from "./limits.ts";
import type { FieldBounds, MessageBounds } from "./message-bounds.ts";
import type { RefusedItem } from "./refused-item.ts";
import { isTime } from "./time-text.ts";
import {
  duplicateField,
  emptyValue,
  malformed,
  tooDeep,
  tooLong,
  tooManyItems,
  unknownField,
  unknownValue,
  wrongShape,
} from "./violations.ts";
import type { CheckedBytes } from "./wire-check.ts";

/** Longer than any name of the API. */
const MAX_NAME_BYTES = 256;

const NONE: readonly RefusedItem[] = [];

/**
 * As checkWire, for a message in JSON, which it checks without parsing. It also refuses text that is not UTF-8, lone
 * surrogates, unknown names of enum values, and invalid dates, which the parser would accept or change.
 */
export function checkJson(bytes: Uint8Array, bounds: MessageBounds): CheckedBytes {
  if (!isUtf8(bytes)) throw malformed("the JSON is not UTF-8");
  return new JsonCheck(bytes, bounds).run();
}

interface Span {
  readonly start: number;
  readonly end: number;
}

class JsonCheck {
  readonly #text: JsonCursor;
  readonly #bounds: MessageBounds;
  readonly #budget: JsonBudget;
  readonly #path: (string | number)[] = [];
  readonly #refused: RefusedItem[] = [];
  readonly #spans: Span[] = [];

  constructor(bytes: Uint8Array, bounds: MessageBounds) {
    this.#text = new JsonCursor(bytes);
    this.#bounds = bounds;
    this.#budget = new JsonBudget(bounds);
  }

  run(): CheckedBytes {
    this.#message(this.#bounds);
    this.#text.expectEnd();
    return this.#refused.length === 0
      ? { bytes: this.#text.bytes, refused: NONE }
      : { bytes: this.#withoutRefused(), refused: this.#refused };
  }

  #message(bounds: MessageBounds): void {
    const text = this.#text;
    if (!text.takes("{")) throw this.#wrongShape("an object");
    let present = 0;
    let oneofs = 0;
    for (let more = !text.takes("}"); more; more = text.goesOn("}")) {
      const name = this.#name();
      text.expect(":");
      const field = bounds.byName.get(name);
      if (field === undefined) throw unknownField(this.#path, name, bounds);
      this.#path.push(field.name);
      // null is a field that is not set.
      const isNull = text.takesNull();
      const oneof = field.oneof < 0 || isNull ? 0 : 1 << field.oneof;
      if ((present & (1 << field.index)) !== 0 || (oneofs & oneof) !== 0) throw duplicateField(this.#path);
      present |= 1 << field.index;
      oneofs |= oneof;
      if (!isNull) {
        if (field.repeated) this.#items(field);
        else this.#value(field);
      }
      this.#path.pop();
    }
  }

  #items(field: FieldBounds): void {
    const text = this.#text;
    if (!text.takes("[")) throw this.#wrongShape("a list");
    let count = 0;
    for (let more = !text.takes("]"); more; more = text.goesOn("]")) {
      if (count >= field.maxItems) throw tooManyItems(this.#path, field);
      this.#path.push(count);
      if (field.judgedAlone) this.#itemAlone(field, count);
      else this.#value(field);
      this.#path.pop();
      count += 1;
    }
    if (field.refusesEmpty && count === 0) throw emptyValue(this.#path);
  }

  #itemAlone(field: FieldBounds, index: number): void {
    const text = this.#text;
    const start = text.skipSpace();
    const depth = this.#path.length;
    const spent = this.#budget.spent();
    try {
      this.#value(field);
    } catch (error) {
      if (!(error instanceof RecollectError) || error instanceof RequestBudgetExceeded) throw error;
      text.goTo(start);
      // Too large to skip: the whole request is refused.
      if (!text.skipRefused()) throw error;
      this.#path.length = depth;
      this.#budget.goBackTo(spent);
      this.#refused.push({ field: field.localName, index, error });
      this.#spans.push({ start, end: text.at });
    }
  }

  #value(field: FieldBounds): void {
    switch (field.kind) {
      case "message":
        // Well-known messages are strings in JSON.
        if (field.message !== undefined) this.#message(field.message);
        return;
      case "json":
        if (!this.#text.startsWith("{")) throw this.#wrongShape("an object");
        this.#budget.enter(field);
        this.#json(1);
        return;
      case "string":
        this.#textWithin(field, field.maxBytes);
        return;
      case "bytes":
        // Four characters of base64 for three bytes.
        this.#textWithin(field, Math.ceil(field.maxBytes / 3) * 4);
        return;
      case "text": {
        this.#textWithin(field, field.maxBytes);
        const written = this.#text.lastString();
        if (field.message?.desc.typeName === "google.protobuf.Timestamp" && !isTime(written))
          throw this.#wrongShape("a valid time, such as 2025-02-28T12:00:00Z");
        return;
      }
      case "enum":
        this.#enumValue(field);
        return;
      case "scalar":
        this.#scalar(field);
    }
  }

  #enumValue(field: FieldBounds): void {
    if (!this.#text.startsWith('"')) {
      this.#scalar(field);
      return;
    }
    const name = this.#name();
    if (!field.enumeration?.values.some((value) => value.name === name))
      throw unknownValue(this.#path, name, field);
  }

  /** A number, as such or as a string; true or false. */
  #scalar(field: FieldBounds): void {
    const text = this.#text;
    if (text.startsWith("{") || text.startsWith("["))
      throw this.#wrongShape("a number, a text, true or false");
    if (text.startsWith('"')) this.#textWithin(field, MAX_NAME_BYTES);
    else text.skipLiteral();
  }

  #textWithin(field: FieldBounds, maxBytes: number): void {
    if (!this.#text.startsWith('"')) throw this.#wrongShape("a text");
    if (this.#text.skipString() > maxBytes) throw tooLong(this.#path, field);
    this.#text.expectUnicode(this.#path);
    if (field.refusesEmpty && this.#text.lastString() === "") throw emptyValue(this.#path);
  }

  /** The name of a field or of an enum's value. */
  #name(): string {
    if (!this.#text.startsWith('"')) throw this.#wrongShape("a name");
    if (this.#text.skipString() > MAX_NAME_BYTES) throw this.#wrongShape("a name that there is");
    this.#text.expectUnicode(this.#path);
    return this.#text.lastString();
  }

  /** Any value inside a JSON field. */
  #json(depth: number): void {
    const text = this.#text;
    if (text.startsWith('"')) {
      this.#budget.spend(text.skipString() + 2, this.#path);
      text.expectUnicode(this.#path);
    } else if (text.startsWith("{")) {
      this.#object(depth);
    } else if (text.takes("[")) {
      if (depth > MAX_JSON_DEPTH) throw tooDeep(this.#path);
      this.#budget.spend(2, this.#path);
      for (let more = !text.takes("]"); more; more = text.goesOn("]")) this.#json(depth + 1);
    } else {
      this.#budget.spend(1, this.#path);
      text.skipLiteral();
    }
  }

  #object(depth: number): void {
    const text = this.#text;
    if (depth > MAX_JSON_DEPTH) throw tooDeep(this.#path);
    text.expect("{");
    this.#budget.spend(2, this.#path);
    const names = new Set<string>();
    for (let more = !text.takes("}"); more; more = text.goesOn("}")) {
      this.#budget.spendBytes(text.skipString() + 3, this.#path);
      text.expectUnicode(this.#path);
      const name = text.lastString();
      if (names.has(name)) throw duplicateField([...this.#path, name.slice(0, 64)]);
      names.add(name);
      text.expect(":");
      this.#json(depth + 1);
    }
  }

  #wrongShape(expected: string): RecollectError {
    return wrongShape(this.#path, expected);
  }

  /** The text with an empty object in place of each refused item. */
  #withoutRefused(): Uint8Array {
    const parts: Uint8Array[] = [];
    const { bytes } = this.#text;
    let from = 0;
    for (const { start, end } of this.#spans) {
      parts.push(bytes.subarray(from, start), Buffer.from("{}"));
      from = end;
    }
    parts.push(bytes.subarray(from));
    return Buffer.concat(parts);
  }
}
